"""What people run otherwise: a Flask route, one RQ job for each event, one LiveKitAPI in each job.

Written as a good developer writes it in an afternoon. It verifies, enqueues, evaluates the same
rule and calls CreateDispatch. It does not dedupe, order, retry or record, nor look whether an agent
came.
"""
