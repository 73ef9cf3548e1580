//! Examples of patchflow are programs: see `src/bin`. The main one is `quickstart`.
