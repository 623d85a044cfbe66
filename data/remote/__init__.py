"""An output directory on an object store: its copy on this machine, and the commits that publish it."""
