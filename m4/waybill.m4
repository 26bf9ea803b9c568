dnl Tests of compiler and linker flags. A flag that the tool does not know is
dnl left out without an error, so that older and other compilers still build.

dnl WAYBILL_CFLAGS(VARIABLE, FLAGS): append to VARIABLE those of FLAGS that the
dnl compiler takes.
AC_DEFUN([WAYBILL_CFLAGS], [
  for flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $flag])
    waybill_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $flag"
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([[int here;]])],
      [AC_MSG_RESULT([yes]); $1="${$1:+$$1 }$flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$waybill_save_CFLAGS
  done
])

dnl WAYBILL_LDFLAGS(VARIABLE, FLAGS, [CFLAGS]): the same for the linker; CFLAGS
dnl are what objects need before they can be linked so.
AC_DEFUN([WAYBILL_LDFLAGS], [
  for flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC links with $flag])
    waybill_save_CFLAGS=$CFLAGS
    waybill_save_LDFLAGS=$LDFLAGS
    CFLAGS="$CFLAGS $3"
    LDFLAGS="$LDFLAGS $flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM],
      [AC_MSG_RESULT([yes]); $1="${$1:+$$1 }$flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$waybill_save_CFLAGS
    LDFLAGS=$waybill_save_LDFLAGS
  done
])
