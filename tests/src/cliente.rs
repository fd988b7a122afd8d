//! Um cliente que faz o que o teste manda, certo ou errado.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::PRAZO;

/// Uma conexão com o servidor. Ler e escrever têm [`PRAZO`].
#[derive(Debug)]
pub struct Cliente {
    fluxo: BufReader<TcpStream>,
}

impl Cliente {
    /// Conecta.
    ///
    /// # Panics
    ///
    /// Não há quem atenda.
    pub fn conectar(endereco: SocketAddr) -> Self {
        let fluxo = TcpStream::connect_timeout(&endereco, PRAZO).unwrap();
        // Cada `manda` sai na hora: são os testes que decidem os pedaços.
        fluxo.set_nodelay(true).unwrap();
        fluxo.set_read_timeout(Some(PRAZO)).unwrap();
        fluxo.set_write_timeout(Some(PRAZO)).unwrap();
        Cliente { fluxo: BufReader::new(fluxo) }
    }

    /// O endereço desta ponta, como o servidor o registra.
    pub fn endereco(&self) -> SocketAddr {
        self.fluxo.get_ref().local_addr().unwrap()
    }

    /// Manda bytes, todos.
    ///
    /// # Panics
    ///
    /// O servidor fechou, ou não os recebeu no [`PRAZO`].
    pub fn manda(&mut self, bytes: impl AsRef<[u8]>) {
        self.fluxo.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// A próxima linha, sem o LF.
    ///
    /// # Panics
    ///
    /// Não veio uma linha inteira no [`PRAZO`]: silêncio, reset ou fim.
    pub fn linha(&mut self) -> String {
        self.linha_ou_fim().unwrap_or_else(|| panic!("o servidor fechou antes de uma linha"))
    }

    /// A próxima linha, sem o LF, ou `None` se o servidor fechou em ordem antes dela.
    ///
    /// # Panics
    ///
    /// Silêncio no [`PRAZO`], um reset, ou o fim no meio de uma linha.
    pub fn linha_ou_fim(&mut self) -> Option<String> {
        let mut linha = String::new();
        if self.fluxo.read_line(&mut linha).unwrap() == 0 {
            return None;
        }
        assert_eq!(linha.pop(), Some('\n'), "o servidor fechou depois de {linha:?}");
        Some(linha)
    }

    /// A próxima linha inteira, sem o LF; `None` se o servidor se foi antes dela, como for.
    ///
    /// # Panics
    ///
    /// O servidor continua lá, e passou o [`PRAZO`].
    pub fn ouve(&mut self) -> Option<String> {
        let mut linha = String::new();
        match self.fluxo.read_line(&mut linha) {
            Ok(_) => linha.strip_suffix('\n').map(String::from),
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => panic!("só silêncio: {linha:?}"),
            Err(_) => None,
        }
    }

    /// Manda bytes a um servidor que pode já não estar lá: quem ouve é que descobre.
    pub fn arrisca(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.fluxo.get_mut().write_all(bytes.as_ref());
    }

    /// As próximas `n` linhas.
    pub fn linhas(&mut self, n: usize) -> Vec<String> {
        (0..n).map(|_| self.linha()).collect()
    }

    /// Manda um comando, com o fim de linha, e ouve uma linha.
    pub fn pede(&mut self, comando: &str) -> String {
        self.manda(format!("{comando}\n"));
        self.linha()
    }

    /// Um só `recv(1024)`, como fazem os clientes de sala de aula.
    ///
    /// # Panics
    ///
    /// Nada veio no [`PRAZO`].
    pub fn recv(&mut self) -> String {
        let mut bytes = [0; 1024];
        let lidos = self.fluxo.read(&mut bytes).unwrap();
        String::from_utf8(bytes[..lidos].into()).unwrap()
    }

    /// Tudo o que o servidor ainda disser até fechar o lado dele.
    ///
    /// # Panics
    ///
    /// Ele não fecha, ou fecha com um reset.
    pub fn fim(&mut self) -> String {
        let mut texto = String::new();
        self.fluxo.read_to_string(&mut texto).unwrap();
        texto
    }

    /// Manda um byte urgente, como o Ctrl-C de um telnet.
    ///
    /// # Panics
    ///
    /// O servidor fechou.
    pub fn manda_urgente(&self) {
        SockRef::from(self.fluxo.get_ref()).send_out_of_band(b"!").unwrap();
    }

    /// Não vai mandar mais nada, mas ainda ouve.
    pub fn fechar_escrita(&self) {
        self.fluxo.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Desiste sem educação: o servidor recebe um reset.
    pub fn resetar(self) {
        SockRef::from(self.fluxo.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Outra mão na mesma conexão, para mandar enquanto se ouve.
    pub fn outra_mao(&self) -> TcpStream {
        self.fluxo.get_ref().try_clone().unwrap()
    }
}
