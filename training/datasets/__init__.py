"""From folders of clips and photos to labelled, grouped, split faces."""
