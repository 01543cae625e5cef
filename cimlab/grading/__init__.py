"""The instructor's wing: release a lab, prove its checks, repair what students hand in. No chapter imports it."""
