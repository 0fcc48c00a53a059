"""Pages that stand in one file: a model's heads, and two models beside each other."""
