"""Reports: figures and plots as one page that a stranger can read."""
