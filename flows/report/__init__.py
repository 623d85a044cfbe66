"""Reports: `report.html` and the printed funnel of a run, and the page of a taxonomy."""
