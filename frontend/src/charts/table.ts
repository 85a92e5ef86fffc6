/** A row of a chart's table view, as the server writes it in the first paint. */
import { timeText } from "../times";

export function tableRow(start: number, cells: readonly string[]): HTMLTableRowElement {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  const date = new Date(start * 1_000);
  head.scope = "row";
  head.textContent = timeText("step", date, Date.now());
  row.append(head);
  for (const text of cells) {
    const cell = row.insertCell();
    cell.className = "n";
    cell.textContent = text;
  }
  return row;
}
