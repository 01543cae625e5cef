"""Big data (大数据技术): the same analysis in memory, on an embedded engine and on a distributed one.

One small file a lesson::

    engines       open the tables of an edition on DuckDB or Spark; what is missing where (引擎)
    analyses      RFM, cohorts and baskets written once, with Ibis
    crossover     from how many customers on an engine is worth its start (规模临界点)
    storage       rows against columns, partitioned Parquet (列式存储, 分区)
    reading       what a query really reads: the plan of DuckDB in a row (执行计划)
    streaming     events in windows, late events, watermarks (流式处理)
    sessions      … and in visits that end by silence (会话窗口)
    places        warehouse, lake, CDP: where each table lives (数据仓库, 数据湖)
    cloud         what it costs on paper (云成本)
    linking       record linkage of a million customers, on DuckDB and on Spark

Every name below can be imported from here: ``from cimlab.scale import open_engine``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "engines": ["ENGINES", "close_engine", "missing_spark", "open_engine", "take_table"],
    "analyses": ["answer", "cohort_query", "pairs_query", "rfm_query"],
    "crossover": ["draw_crossover", "find_fastest", "median_times", "time_engines", "time_question"],
    "storage": [
        "column_bytes",
        "compare_forms",
        "list_partitions",
        "row_groups",
        "write_partitioned",
    ],
    "reading": ["draw_reads", "read_plan"],
    "streaming": [
        "LATE_WAYS",
        "arrivals",
        "batch_windows",
        "draw_arrivals",
        "draw_windows",
        "run_windows",
        "stream_windows",
        "window_starts",
    ],
    "sessions": ["batch_sessions", "stream_sessions"],
    "places": [
        "PLACES",
        "draw_places",
        "highest_grade",
        "place_counts",
        "place_tables",
    ],
    "cloud": [
        "break_even",
        "cloud_cost",
        "cost_curve",
        "lesson_prices",
        "own_cost",
        "scan_costs",
    ],
    "linking": ["LARGE_BLOCKS", "count_block_pairs", "learn_weights", "score_large"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
