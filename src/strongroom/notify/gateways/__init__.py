"""The keepers of the gateway port, one file each."""
