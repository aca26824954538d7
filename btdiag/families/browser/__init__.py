"""What browsers refuse by rule, whatever programs may do: schemes, ports."""
