"""The report of a study of tickets (P2 chapters 3 and 4): rows become figures, tables, sentences and one HTML page."""

from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.compared import Compared, Reach, compared, reach
from secateurs.report.tickets.courses import Dilation, Speed, dilations, speeds
from secateurs.report.tickets.findings import TicketFindings, find_tickets
from secateurs.report.tickets.page import render_tickets, write_tickets_report
from secateurs.report.tickets.rows import (
    DENSE,
    Copies,
    Dilated,
    ReportedTicket,
    Role,
    Start,
    Terms,
    TicketRun,
    TicketStudy,
)
from secateurs.report.tickets.sentences import summary
from secateurs.report.tickets.tables import TABLES, tables
from secateurs.report.tickets.terminal import show_tickets

__all__ = [
    "DENSE",
    "TABLES",
    "Cell",
    "Compared",
    "Copies",
    "Dilated",
    "Dilation",
    "Reach",
    "ReportedTicket",
    "Role",
    "Speed",
    "Start",
    "Terms",
    "TicketFindings",
    "TicketRun",
    "TicketStudy",
    "compared",
    "dilations",
    "find_tickets",
    "reach",
    "render_tickets",
    "show_tickets",
    "speeds",
    "summary",
    "tables",
    "write_tickets_report",
]
