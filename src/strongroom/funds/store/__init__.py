"""All SQL of the funds context, a file per noun. Functions take the transaction and the firm first, and decide nothing."""
