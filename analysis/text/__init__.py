"""Texts for training and measuring: corpora split by document, windows, byte pairs. Import from here."""

from __future__ import annotations

from analysis.text.corpus import Corpus as Corpus
from analysis.text.corpus import Raw as Raw
from analysis.text.corpus import encoded_corpus as encoded_corpus
from analysis.text.corpus import from_texts as from_texts
from analysis.text.corpus import groups as groups
from analysis.text.corpus import split as split
from analysis.text.tokenizer import BytePairs as BytePairs
from analysis.text.tokenizer import learn_byte_pairs as learn_byte_pairs
from analysis.text.tokenizer import load_byte_pairs as load_byte_pairs
from analysis.text.windows import Batches as Batches
from analysis.text.windows import Document as Document
from analysis.text.windows import Spans as Spans
from analysis.text.windows import spans as spans
