"""Tests of the control plane alone, on machines and volumes in memory."""
