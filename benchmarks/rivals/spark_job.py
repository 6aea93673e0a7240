"""SynapseML on Spark: read, decode and scale, `ONNXModel`, the mean by burst, Parquet.

Run in an environment of its own with SynapseML's jars. The first job of the session warms it up; the second is
measured. The settings are the fastest of several that were tried on two cores: four partitions, a heap of 10 GB, the
parallel collector, and a preparation with Pillow in a pandas UDF, which is faster than SynapseML's `ImageTransformer`
and gives the same tensors as the other programs.
"""

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

_SIDE, _BATCH, _PARTITIONS = 224, 8, 4


def start(jars: Path, scratch: str, cores: int) -> Any:
    """A Spark session on this machine."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    options = f"-Djava.awt.headless=true -Djava.io.tmpdir={scratch} -XX:+UseParallelGC"
    session = (
        SparkSession.builder.master(f"local[{cores}]")
        .appName("uncia-rivals")
        .config("spark.jars", ",".join(sorted(map(str, jars.glob("*.jar")))))
        .config("spark.driver.memory", "10g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", scratch)
        .config("spark.sql.warehouse.dir", f"{scratch}/warehouse")
        .config("spark.driver.extraJavaOptions", options)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def prepare() -> Any:
    """The UDF from the bytes of a JPEG to its tensor."""
    import pandas as pd
    from pyspark.sql import functions
    from pyspark.sql.types import ArrayType, FloatType

    side = _SIDE

    def tensors(contents: pd.Series) -> pd.Series:
        import numpy as np
        from PIL import Image

        made = []
        for content in contents:
            picture = Image.open(io.BytesIO(content))
            picture.draft("RGB", (side, side))
            small = picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
            tensor = ((np.asarray(small, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)
            made.append([list(channel) for channel in tensor])
        return pd.Series(made)

    return functions.pandas_udf(tensors, ArrayType(ArrayType(ArrayType(FloatType()))))


def job(session: Any, folder: str, graph: str, target: str) -> None:
    """Classify all photographs of the folder, and write the mean of each burst."""
    from pyspark.sql import functions
    from synapse.ml.onnx import ONNXModel
    from synapse.ml.stages import EnsembleByKey

    files = session.read.format("binaryFile").option("pathGlobFilter", "burst_*.jpg").load(folder)
    files = files.repartition(_PARTITIONS).withColumn("burst", functions.regexp_extract("path", r"(burst_\d+)_\d+", 1))
    model = (
        ONNXModel()
        .setModelLocation(graph)
        .setDeviceType("CPU")
        .setFeedDict({"picture": "features"})
        .setFetchDict({"scores": "scores"})
        .setSoftMaxDict({"scores": "probability"})
        .setMiniBatchSize(_BATCH)
    )
    rows = model.transform(files.withColumn("features", prepare()("content")).drop("content"))
    mean = EnsembleByKey(keys=["burst"], cols=["probability"], colNames=["mean"], strategy="mean")
    mean.transform(rows.select("path", "burst", "probability")).write.mode("overwrite").parquet(target)


def main(folder: str, graph: str, jars: str, cores: int) -> None:
    """Print `begin` and `end` around the second job, and fail unless it wrote every burst."""
    bursts = len({path.name.rpartition("_")[0] for path in Path(folder).glob("burst_*.jpg")})
    with tempfile.TemporaryDirectory(prefix="uncia-spark-") as scratch:
        session = start(Path(jars), scratch, cores)
        target = f"{scratch}/means"
        job(session, folder, graph, target)
        print("begin", flush=True)
        job(session, folder, graph, target)
        print("end", flush=True)
        written = session.read.parquet(target).count()
        session.stop()
    if written != bursts:
        sys.exit(f"{written} of {bursts} bursts")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
