"""Reports: every output format, the comparison and the merge of reports are pure functions of the model."""
