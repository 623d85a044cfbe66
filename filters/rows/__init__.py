"""Row filters, one file each: the options, patterns, reason and signals of a filter are beside its check."""
