"""What a reader decides about single cells: kept for ever, found again by place, carried into the report."""
