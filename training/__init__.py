"""The training floor: data sets, training, evaluation. Stands on `chalicelib`; serving never imports it."""
