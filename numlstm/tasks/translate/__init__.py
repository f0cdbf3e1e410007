"""Translate one text into another one: an encoder and a decoder with attention."""
