"""Figures, plots and pages that tell how good a model is."""
