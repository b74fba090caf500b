"""The served half of Unmask: the Chalice app and the command line."""
