// The pages of the dashboard, in the order of the navigation.

export const PAGES = [
  { page: "board", path: "/", label: "Overview", key: "1" },
  { page: "live", path: "/live", label: "Live", key: "2" },
  { page: "events", path: "/events", label: "Events", key: "3" },
  { page: "explore", path: "/explore", label: "Explore", key: "4" },
  { page: "sites", path: "/sites", label: "Sites", key: "5" },
];
