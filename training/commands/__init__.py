"""The commands of this floor, a file each; `unmask` gathers them by their entry points."""
