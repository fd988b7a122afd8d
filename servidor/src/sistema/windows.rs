//! O Windows.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::windows::fs::FileExt;
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::time::Duration;

use socket2::Socket;

/// Aqui ninguém espera pedidos de outro programa desta máquina: os tipos só existem para o laço ser um só.
pub type EscutaLocal = mio::net::TcpListener;
/// Idem.
pub type FluxoLocal = mio::net::TcpStream;
/// Idem.
pub type PedidoLocal = std::net::TcpStream;

/// As permissões são as da pasta.
pub fn so_do_dono(opcoes: &mut OpenOptions) -> &mut OpenOptions {
    opcoes
}

/// Abre para acrescentar.
///
/// # Errors
///
/// Não se pode abrir.
pub fn abrir_sem_esperar(caminho: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(caminho)
}

/// Não há canos entre os arquivos.
pub fn e_cano(_caminho: &Path) -> bool {
    false
}

/// A saída padrão, como um arquivo.
///
/// # Errors
///
/// O sistema não deu mais um descritor.
pub fn saida_padrao() -> io::Result<File> {
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// Escreve no destino do registro, como [`Write::write`]. Um console toma os bytes pela página de código dele, e os
/// acentos sairiam errados: só a std lhe escreve letras.
///
/// # Errors
///
/// Os de quem escreve em um arquivo.
pub fn escrever_no_registro(mut destino: &File, bytes: &[u8]) -> io::Result<usize> {
    if !destino.is_terminal() {
        return destino.write(bytes);
    }
    let mut console = io::stdout().lock();
    console.write_all(bytes)?;
    console.flush()?;
    Ok(bytes.len())
}

/// Em que arquivo se põe a tranca de um livro: em um ao lado. Aqui uma tranca impede mesmo de ler, e o SQLite, que lê o
/// livro por conta própria, não passaria pela nossa.
///
/// # Errors
///
/// O arquivo ao lado não se deixa criar.
pub fn tranca(_arquivo: &File, caminho: &Path) -> io::Result<File> {
    let mut nome = OsString::from(caminho);
    nome.push("-tranca");
    File::options().read(true).write(true).create(true).truncate(false).open(nome)
}

/// Um arquivo aberto não se apaga nem muda de nome: não há o que distinguir.
pub fn identidade(_arquivo: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Lê exatamente estes bytes, a partir de uma posição.
///
/// # Errors
///
/// Não há tantos, ou o disco falhou.
pub fn ler_em(arquivo: &File, mut bytes: &mut [u8], mut posicao: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match arquivo.seek_read(bytes, posicao)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            lidos => {
                bytes = &mut bytes[lidos..];
                posicao += lidos as u64;
            }
        }
    }
    Ok(())
}

/// Escreve estes bytes a partir de uma posição.
///
/// # Errors
///
/// O disco encheu ou falhou.
pub fn escrever_em(arquivo: &File, mut bytes: &[u8], mut posicao: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let escritos = arquivo.seek_write(bytes, posicao)?;
        bytes = &bytes[escritos..];
        posicao += escritos as u64;
    }
    Ok(())
}

/// O caminho como o SQLite o quer em uma URI, escapado: com barras, e uma antes da letra do disco.
pub fn em_uri(caminho: &Path) -> String {
    let texto = caminho.to_string_lossy().replace('\\', "/");
    let texto = texto.trim_start_matches("//?/");
    format!("/{texto}").bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Não há um limite de descritores que interesse: cada socket é um objeto do sistema.
pub fn descritores() -> usize {
    16 * 1024
}

/// Não há a quem dizer.
pub fn avisar_que_abriu() {}

/// O que fazer quando o sistema não dá a porta a quem a pede: aqui qualquer um pode ter uma abaixo de 1024.
pub const SEM_PERMISSAO_NA_PORTA: &str =
    "; outro programa a tem só para si, ou o Windows a reservou: escolha outra com --porta";

/// O `SO_REUSEADDR` daqui deixa escutar onde outro já escuta: nem o pedimos, o que nos daria a porta de outro programa, nem
/// deixamos que com ele tomem a nossa.
///
/// # Errors
///
/// O sistema não deixou.
pub fn porta_so_nossa(socket: &Socket) -> io::Result<()> {
    protocolo::terminal::porta_so_deste(socket)
}

/// Não há aqui um socket que só o dono alcance.
///
/// # Errors
///
/// Sempre.
pub fn escutar_localmente(_caminho: &Path) -> io::Result<EscutaLocal> {
    Err(ErrorKind::Unsupported.into())
}

/// Ninguém espera pedidos.
///
/// # Errors
///
/// Sempre.
pub fn pedir_localmente(_caminho: &Path, _prazo: Duration) -> io::Result<PedidoLocal> {
    Err(ErrorKind::Unsupported.into())
}
