# What `echo.rs` is compiled to; for the check only.
FROM scratch
COPY echo /echo
EXPOSE 80
# As the first process of its container it would not hear of SIGTERM.
STOPSIGNAL SIGKILL
ENTRYPOINT ["/echo"]
