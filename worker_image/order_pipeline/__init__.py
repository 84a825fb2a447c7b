"""The sample application: files of orders become messages, then orders, then totals per customer.

    incoming/*.csv -> import_files (queue worker)   \\
                                                      orders queue -> apply_orders -> DynamoDB table, Redis read model
    bulk/*.csv     -> import_bulk (run task)        /
    every hour     -> report (scheduled task)       -> reports/<scheduled time>.json

Each module is one container command: `python -m order_pipeline.apply_orders`.
"""
