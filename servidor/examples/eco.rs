//! O piso: o mínimo que um laço do mio gasta para ler uma linha e responder outra do mesmo tamanho. Não
//! entende comandos, não tem estoque e não guarda nada de ninguém; conta fins de linha e escreve, para
//! cada um, sempre a mesma resposta. O que o servidor de verdade gastar além disto é o preço de vender;
//! `cargo bench -p testes --bench comparacao` mede os dois lado a lado.
//!
//! Diz o que não faz: fecha quem não lê a tempo, não limita nada, não registra nada e não termina
//! em ordem. Com `--avisa`, uma linha com `!` faz o que o AVISO faz com o menor código possível: um
//! `write` a cada conexão, um atrás do outro.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use protocolo::mensagem::AVISO;
use protocolo::terminal::{dizer, explicar, inteiro, ler_opcoes};
use protocolo::{PORTA_PADRAO, Resposta};
use slab::Slab;

/// Um laço de eventos que só conta linhas e devolve outras
#[derive(Debug, Parser)]
#[command(name = "eco", version)]
struct Opcoes {
    /// Porta TCP; com 0, o sistema escolhe uma livre
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(0..=u16::MAX))]
    porta: u16,

    /// Uma linha com '!' escreve o AVISO a todas as conexões
    #[arg(long)]
    avisa: bool,
}

const ESCUTA: Token = Token(usize::MAX);

/// O mesmo que o servidor lê de cada vez; nem que sejam só fins de linha há resposta pronta para todos.
const LEITURA: usize = 4 * 1024;

/// O resto a que as vendas do banco de provas chegam: assim as respostas têm o mesmo tamanho.
const RESTANTE: u64 = 999_999_999;

struct Eco {
    escuta: TcpListener,
    conexoes: Slab<TcpStream>,
    rascunho: Box<[u8]>,
    /// A resposta, repetida: as primeiras N estão sempre prontas para um só `write`.
    respostas: Vec<u8>,
    tamanho: usize,
    avisa: bool,
}

impl Eco {
    fn novo(escuta: TcpListener, avisa: bool) -> Self {
        let mut resposta = Vec::new();
        Resposta::Compra { restante: RESTANTE }.escrever(&mut resposta);
        Eco {
            escuta,
            conexoes: Slab::new(),
            rascunho: vec![0; LEITURA].into(),
            respostas: resposta.repeat(LEITURA),
            tamanho: resposta.len(),
            avisa,
        }
    }

    fn rodar(&mut self, poll: &mut Poll) -> io::Result<()> {
        let mut eventos = Events::with_capacity(1024);
        loop {
            poll.poll(&mut eventos, None)?;
            for evento in &eventos {
                match evento.token() {
                    ESCUTA => self.aceitar(poll),
                    Token(chave) => self.atender(chave, evento.is_read_closed()),
                }
            }
        }
    }

    fn aceitar(&mut self, poll: &Poll) {
        while let Ok((mut fluxo, _)) = self.escuta.accept() {
            let _ = fluxo.set_nodelay(true);
            let lugar = self.conexoes.vacant_entry();
            let token = Token(lugar.key());
            if poll.registry().register(&mut fluxo, token, Interest::READABLE).is_ok() {
                lugar.insert(fluxo);
            }
        }
    }

    /// Uma leitura curta esvaziou o socket, e o aviso do epoll volta; menos o do fim, que não se repete.
    fn atender(&mut self, chave: usize, fim: bool) {
        let Some(fluxo) = self.conexoes.get_mut(chave) else { return };
        loop {
            let lidos = match fluxo.read(&mut self.rascunho) {
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => return drop(self.conexoes.remove(chave)),
                Ok(lidos) => lidos,
            };
            let lido = &self.rascunho[..lidos];
            let linhas = lido.iter().filter(|byte| **byte == b'\n').count();
            let resposta = &self.respostas[..linhas * self.tamanho];
            if !fluxo.write(resposta).is_ok_and(|escritos| escritos == resposta.len()) {
                return drop(self.conexoes.remove(chave));
            }
            if self.avisa && lido.contains(&b'!') {
                return self.avisar();
            }
            if lidos < LEITURA && !fim {
                return;
            }
        }
    }

    fn avisar(&mut self) {
        let aviso = format!("{AVISO}\n");
        for (_, fluxo) in &mut self.conexoes {
            // Quem não couber agora não ouve; este laço não tem onde guardar.
            let _ = fluxo.write(aviso.as_bytes());
        }
    }
}

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    match servir(&opcoes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(erro) => {
            let (porta, porque) = (opcoes.porta, explicar(&erro));
            dizer(format_args!("eco: porta {porta}: {porque}; veja --porta"));
            ExitCode::FAILURE
        }
    }
}

fn servir(opcoes: &Opcoes) -> io::Result<()> {
    // Com o limite que houver; quem não couber espera à porta.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut poll = Poll::new()?;
    let mut escuta = TcpListener::bind((Ipv4Addr::UNSPECIFIED, opcoes.porta).into())?;
    poll.registry().register(&mut escuta, ESCUTA, Interest::READABLE)?;
    dizer(format_args!("eco: ouvindo em {} (não vende nada)", escuta.local_addr()?));
    Eco::novo(escuta, opcoes.avisa).rodar(&mut poll)
}
