"""Big data (大数据技术): the same analysis in memory, on an embedded engine and on a distributed one.

One small file a lesson::

    engines       open the tables of an edition on DuckDB or Spark; what is missing where (引擎)
    analyses      RFM, cohorts and baskets written once, with Ibis
    crossover     from how many customers on an engine is worth its start (规模临界点)
    storage       rows against columns, partitioned Parquet, what a query really reads (列式存储, 分区)
    streaming     events in windows, late events, watermarks (流式处理)
    places        warehouse, lake, CDP: where each table lives (数据仓库, 数据湖)
    cloud         what it costs on paper (云成本)
    linking       record linkage of a million customers, on DuckDB and on Spark

Every name below can be imported from here: ``from cimlab.scale import open_engine``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "engines": [],
    "analyses": [],
    "crossover": [],
    "storage": [],
    "streaming": [],
    "places": [],
    "cloud": [],
    "linking": [],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
