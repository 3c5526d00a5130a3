"""What Strongroom is compared with."""
