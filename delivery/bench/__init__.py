"""How fast, measured: the pipeline beside a bare loop of POSTs in the same run."""
