//! Linux, macOS e os outros Unix.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// Quem espera por pedidos de outro programa desta máquina, e por onde cada um fala.
pub type EscutaLocal = mio::net::UnixListener;
/// Um deles, dentro do laço.
pub type FluxoLocal = mio::net::UnixStream;
/// Um deles, do lado de quem pede, que pode esperar.
pub type PedidoLocal = std::os::unix::net::UnixStream;

/// O arquivo que se criar é só do seu dono (0600).
pub fn so_do_dono(opcoes: &mut OpenOptions) -> &mut OpenOptions {
    opcoes.mode(0o600)
}

/// Abre para acrescentar, sem esperar: um cano que ninguém lê é um erro na hora (fifo(7)).
///
/// # Errors
///
/// Não se pode abrir, ou é um cano que ninguém lê.
pub fn abrir_sem_esperar(caminho: &Path) -> io::Result<File> {
    File::options().append(true).create(true).custom_flags(libc::O_NONBLOCK).open(caminho)
}

/// É um cano?
pub fn e_cano(caminho: &Path) -> bool {
    caminho.metadata().is_ok_and(|medidas| medidas.file_type().is_fifo())
}

/// A saída padrão, como um arquivo.
///
/// # Errors
///
/// O sistema não deu mais um descritor.
pub fn saida_padrao() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Escreve no destino do registro, como [`Write::write`].
///
/// # Errors
///
/// Os de quem escreve em um arquivo.
pub fn escrever_no_registro(mut destino: &File, bytes: &[u8]) -> io::Result<usize> {
    destino.write(bytes)
}

/// Em que arquivo se põe a tranca de um livro: nele mesmo. Ela é do sistema (flock(2)), e não se mistura com as
/// travas que o SQLite põe nele.
///
/// # Errors
///
/// O sistema não deu mais um descritor.
pub fn tranca(arquivo: &File, _caminho: &Path) -> io::Result<File> {
    arquivo.try_clone()
}

/// Que arquivo é, seja qual for o nome: o dispositivo e o número.
pub fn identidade(arquivo: &Metadata) -> (u64, u64) {
    (arquivo.dev(), arquivo.ino())
}

/// Lê exatamente estes bytes, a partir de uma posição.
///
/// # Errors
///
/// Não há tantos, ou o disco falhou.
pub fn ler_em(arquivo: &File, bytes: &mut [u8], posicao: u64) -> io::Result<()> {
    arquivo.read_exact_at(bytes, posicao)
}

/// Escreve estes bytes a partir de uma posição.
///
/// # Errors
///
/// O disco encheu ou falhou.
pub fn escrever_em(arquivo: &File, bytes: &[u8], posicao: u64) -> io::Result<()> {
    arquivo.write_all_at(bytes, posicao)
}

/// O caminho como o SQLite o quer em uma URI, escapado.
pub fn em_uri(caminho: &Path) -> String {
    caminho.as_os_str().as_bytes().iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// Leva o limite de descritores ao máximo permitido, e diz qual é. Sem poder aumentar, vale o que já havia; sem poder
/// lê-lo, o mínimo do POSIX.
pub fn descritores() -> usize {
    let limite = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| rlimit::Resource::NOFILE.get_soft())
        .unwrap_or(20);
    usize::try_from(limite).unwrap_or(usize::MAX)
}

/// Diz ao systemd que se está pronto. Fora dele, não diz nada a ninguém.
pub fn avisar_que_abriu() {
    // Se ele não ouve, é ele quem desiste de esperar.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// O que fazer quando o sistema não dá a porta a quem a pede.
pub const SEM_PERMISSAO_NA_PORTA: &str = "; use uma porta acima de 1023, com --porta";

/// A porta é só nossa, e reabre logo depois de fechar, sem esperar as conexões antigas saírem de TIME_WAIT.
///
/// # Errors
///
/// O sistema não deixou.
pub fn porta_so_nossa(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Os pedidos que esperam, enquanto se atende um.
const FILA_LOCAL: i32 = 16;

/// Espera pedidos neste caminho, que só o dono alcança. O socket que outro tiver deixado ali, ao cair, sai: quem chama
/// garante que esse outro já não existe.
///
/// # Errors
///
/// Há outra coisa nesse caminho, ele não cabe no endereço de um socket ([`ErrorKind::InvalidInput`]), ou não se pode criá-lo.
pub fn escutar_localmente(caminho: &Path) -> io::Result<EscutaLocal> {
    let endereco = SockAddr::unix(caminho)?;
    match fs::symlink_metadata(caminho) {
        Ok(ali) if ali.file_type().is_socket() => fs::remove_file(caminho)?,
        Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&endereco)?;
    // Antes de escutar: até ali ninguém conecta.
    fs::set_permissions(caminho, Permissions::from_mode(0o600))?;
    socket.listen(FILA_LOCAL)?;
    Ok(EscutaLocal::from_std(socket.into()))
}

/// Fala com quem espera pedidos neste caminho. Nada ali demora mais do que `prazo`.
///
/// # Errors
///
/// Ninguém espera, ou não é para nós; ou o caminho não cabe no endereço de um socket ([`ErrorKind::InvalidInput`]).
pub fn pedir_localmente(caminho: &Path, prazo: Duration) -> io::Result<PedidoLocal> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_read_timeout(Some(prazo))?;
    // Vale também para conectar: com a fila cheia, espera-se por um lugar nela.
    socket.set_write_timeout(Some(prazo))?;
    socket.connect(&SockAddr::unix(caminho)?)?;
    Ok(socket.into())
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn quem_pede_a_um_servidor_parado_com_a_fila_cheia_nao_espera_para_sempre() {
        let pasta = tempfile::tempdir().unwrap();
        let caminho = pasta.path().join("vendas.db-repor");
        let _parado = escutar_localmente(&caminho).unwrap();
        let prazo = Duration::from_millis(20);
        // Ninguém aceita: cada um que cabe na fila fica nela.
        let esperam: Vec<_> =
            (0..=2 * FILA_LOCAL).map(|_| pedir_localmente(&caminho, prazo)).collect();
        assert!(esperam.last().unwrap().is_err());
    }
}
