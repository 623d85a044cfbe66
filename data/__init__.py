"""What a sample is and where it lies: records, reasons, Arrow schemas, the store of shards, export."""
