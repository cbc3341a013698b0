"""``torch.utils.deterministic``: a setting that changes nothing, for memory that is not filled is not read here."""

fill_uninitialized_memory = True
