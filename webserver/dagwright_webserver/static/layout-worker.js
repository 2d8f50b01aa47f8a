// Lays a graph out away from the page's thread: {nodes: [{id, w, h}], edges: [[from, to]]} -> places and bends.
importScripts("vendor/dagre.js");

onmessage = ({ data: { nodes, edges, across } }) => {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: across ? "LR" : "TB", nodesep: 18, ranksep: 56, edgesep: 12, marginx: 24, marginy: 24, ranker: nodes.length > 400 ? "longest-path" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, w, h } of nodes) graph.setNode(id, { width: w, height: h });
  for (const [from, to] of edges) graph.setEdge(from, to);
  dagre.layout(graph);
  postMessage({
    width: graph.graph().width,
    height: graph.graph().height,
    nodes: Object.fromEntries(nodes.map(({ id }) => [id, [graph.node(id).x, graph.node(id).y]])),
    edges: edges.map(([from, to]) => graph.edge(from, to).points.map(({ x, y }) => [x, y])),
  });
};
