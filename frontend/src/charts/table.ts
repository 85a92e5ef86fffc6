/** A row of a chart's table view, as the server writes it in the first paint. */
import { timeText } from "../times";

export interface HeadCell {
  label: string;
  href: string;
}

/** The header of a table view: where a step begins, then a column each. */
export function tableHead(cells: readonly HeadCell[]): HTMLTableCellElement[] {
  const from = headCell("col", document.createTextNode("From"));
  return [from, ...cells.map(({ label, href }) => {
    const head = headCell("col", link(label, href));
    head.className = "n";
    return head;
  })];
}

export function tableRow(start: number, cells: readonly string[], href?: string): HTMLTableRowElement {
  const row = document.createElement("tr");
  const text = timeText("step", new Date(start * 1_000), Date.now());
  row.append(headCell("row", href === undefined ? document.createTextNode(text) : link(text, href)));
  for (const text of cells) {
    const cell = row.insertCell();
    cell.className = "n";
    cell.textContent = text;
  }
  return row;
}

function headCell(scope: "col" | "row", content: Node): HTMLTableCellElement {
  const head = document.createElement("th");
  head.scope = scope;
  head.append(content);
  return head;
}

function link(text: string, href: string): HTMLAnchorElement {
  const made = document.createElement("a");
  made.href = href;
  made.title = "See these requests";
  made.textContent = text;
  return made;
}
