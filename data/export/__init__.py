"""The exported dataset: a folder of Parquet files with a dataset card that `datasets.load_dataset` reads."""
