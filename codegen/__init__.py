"""From intent to verified, integrated code: plan, patch, evidence, decision, integration.

It is handed an Engine, a Sandbox, a Ledger and a retriever; it knows no router and no HTTP.
"""
