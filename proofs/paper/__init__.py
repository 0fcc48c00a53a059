"""The paper's statements, a module for each of its headings."""
