"""Measures Strongroom beside pgbench and its peers; `make bench` prints ratios, `docs/performance.md` keeps the last ones."""
