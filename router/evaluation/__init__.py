"""How well each workload is served, from the calls in the ledger: cost, time, failures, tested answers.

Read in one pass in little memory. Nothing here decides anything; `bailey route report` shows it.
"""
