"""Run datatrove's four MinHash stages on the column `response` of a Parquet file; print seconds, kept rows, peak MiB.

    PYTHON datatrove_minhash.py FILE.parquet FOLDER

`near_duplicates.py` starts it with a Python that has datatrove and spaCy. It uses one process and one task. The time
excludes imports and the loading of the tokenizer.
"""

import resource
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import load_word_tokenizer

SAME_AS_OURS = MinhashConfig(n_grams=3, num_buckets=25, hashes_per_bucket=5)


def main() -> None:
    path, folder = Path(sys.argv[1]), sys.argv[2]
    reader = ParquetReader(str(path.parent), glob_pattern=path.name, text_key="response", id_key="id")
    load_word_tokenizer(Languages.english).word_tokenize("loads the tokenizer")
    start = time.perf_counter()
    stages = [
        [reader, MinhashDedupSignature(f"{folder}/signatures", SAME_AS_OURS)],
        [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=SAME_AS_OURS)],
        [MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=SAME_AS_OURS)],
        [reader, MinhashDedupFilter(f"{folder}/remove"), ParquetWriter(f"{folder}/kept")],
    ]
    stats = None
    for number, stage in enumerate(stages):
        tasks = SAME_AS_OURS.num_buckets if number == 1 else 1
        stats = LocalPipelineExecutor(stage, tasks=tasks, workers=1, logging_dir=f"{folder}/logs{number}").run()
    seconds = time.perf_counter() - start
    assert stats is not None
    kept = stats.stats[1].stats["forwarded"].total
    print(seconds, kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
