mod documents;
mod lines;
mod properties;
mod samples;
