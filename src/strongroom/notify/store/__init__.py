"""All SQL of text messages: themselves, their limits, and what is learned from many of them."""
