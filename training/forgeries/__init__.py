"""Fakes made from real photos while training runs: other-identity swaps and up-sampling artefacts."""
