"""Looking and deciding: widgets for the notebook, and the same in a browser or in one file."""
