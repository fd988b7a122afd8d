//! Um laço de uma thread só não é mágica. Aqui COMPRAR leva dois turnos: em um, o laço olha o estoque
//! e anota que a conexão *pode* comprar; no seguinte, desconta e responde. Entre um e outro, outras
//! conexões também olham, e o servidor vende mais do que tem (§8), sem thread alguma e sem trava que
//! falte. O que protege o estoque do servidor de verdade não é a thread única: é decidir cada compra,
//! do olhar ao desconto, sem voltar ao `Poll` no meio.
//!
//! Fala o mesmo protocolo, com as mesmas linhas, e diz o que não faz: não limita conexões, tempo
//! nem memória; lê cada conexão até secar, e quem manda sem parar prende os outros; não registra nada,
//! não termina em ordem, cai se um sinal o pausa e deixa de aceitar se faltarem descritores. Quem manda
//! COMPRAR e outro comando de uma vez ouve primeiro a resposta do outro; quem sai ou fecha logo depois
//! de pedir pode sair sem a compra; e a quem manda uma linha longa demais não se ouve mais.

use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use protocolo::mensagem::AVISO;
use protocolo::terminal::{dizer, explicar, inteiro, ler_opcoes};
use protocolo::{Comando, ESTOQUE_PADRAO, Linhas, PORTA_PADRAO, Resposta};
use slab::Slab;

/// Um laço de eventos que se interrompe no meio de cada compra
#[derive(Debug, Parser)]
#[command(name = "laco_em_dois_turnos", version, before_help = EXEMPLOS)]
struct Opcoes {
    /// Porta TCP; com 0, o sistema escolhe uma livre
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(0..=u16::MAX))]
    porta: u16,

    /// Unidades à venda
    #[arg(long, value_name = "UNIDADES", default_value_t = ESTOQUE_PADRAO, value_parser = inteiro::<u64>(0..=1_000_000))]
    estoque: u64,
}

const EXEMPLOS: &str = "  laco_em_dois_turnos               vende mais do que tem, em uma thread só
  laco_em_dois_turnos --estoque 1   duas pessoas bastam";

/// Quanto se espera por outros pedidos antes do segundo passo de uma compra: o tempo de perguntar algo
/// a um banco de dados, por exemplo. Com zero também se vende a mais, só que menos vezes.
const ENTRE_TURNOS: Duration = Duration::from_millis(1);

const ESCUTA: Token = Token(usize::MAX);

struct Conexao {
    fluxo: TcpStream,
    linhas: Linhas,
    saida: Vec<u8>,
    /// Fechou, quebrou ou mandou SAIR: fecha no fim do turno.
    acabou: bool,
}

struct Laco {
    escuta: TcpListener,
    conexoes: Slab<Conexao>,
    estoque: i64,
    /// Quem pôde comprar quando se olhou o estoque; a compra fica para o turno seguinte.
    podem_comprar: Vec<usize>,
}

impl Laco {
    fn rodar(&mut self, poll: &mut Poll) -> io::Result<()> {
        let mut eventos = Events::with_capacity(1024);
        loop {
            // Com compras anotadas, o turno seguinte vem logo, com ou sem eventos.
            let espera = (!self.podem_comprar.is_empty()).then_some(ENTRE_TURNOS);
            poll.poll(&mut eventos, espera)?;
            let anotadas = std::mem::take(&mut self.podem_comprar);
            for evento in &eventos {
                match evento.token() {
                    ESCUTA => self.aceitar(poll),
                    Token(chave) => self.ouvir(chave),
                }
            }
            // É esta a distância que faz o estrago: as compras anotadas no turno anterior só saem
            // depois que os pedidos deste turno já olharam o estoque.
            for chave in anotadas {
                self.vender(chave);
            }
            self.despachar();
        }
    }

    fn aceitar(&mut self, poll: &Poll) {
        while let Ok((mut fluxo, _)) = self.escuta.accept() {
            let _ = fluxo.set_nodelay(true);
            let lugar = self.conexoes.vacant_entry();
            let interesse = Interest::READABLE | Interest::WRITABLE;
            if poll.registry().register(&mut fluxo, Token(lugar.key()), interesse).is_ok() {
                let (linhas, saida) = (Linhas::default(), Vec::new());
                lugar.insert(Conexao { fluxo, linhas, saida, acabou: false });
            }
        }
    }

    fn ouvir(&mut self, chave: usize) {
        let Some(conexao) = self.conexoes.get_mut(chave) else { return };
        let estoque = self.estoque;
        for comando in conexao.ler() {
            match comando {
                // O primeiro passo: olhar.
                Comando::Comprar if estoque > 0 => self.podem_comprar.push(chave),
                Comando::Comprar => conexao.dizer(Resposta::Esgotado),
                Comando::Consultar => conexao.dizer(format_args!("Estoque atual: {estoque}")),
                Comando::Ajuda => conexao.dizer(Resposta::Ajuda),
                Comando::Pedido(_) | Comando::PedidoInvalido(_) | Comando::Desconhecido(_) => {
                    conexao.dizer(Resposta::Desconhecido)
                }
                Comando::Http(_) | Comando::Tls => {
                    conexao.acabou = true;
                    return conexao.dizer(Resposta::OutroProtocolo);
                }
                Comando::LinhaLonga => {
                    conexao.acabou = true;
                    return conexao.dizer(Resposta::LinhaLonga);
                }
                Comando::Sair => {
                    conexao.acabou = true;
                    return conexao.dizer(Resposta::Despedida);
                }
            }
        }
    }

    /// O segundo passo: descontar, sem olhar outra vez.
    fn vender(&mut self, chave: usize) {
        let Some(conexao) = self.conexoes.get_mut(chave) else { return };
        self.estoque -= 1;
        // À mão, e não com `Resposta`, que não sabe dizer um número negativo.
        conexao.dizer(format_args!("Compra realizada. Estoque restante: {}", self.estoque));
        if self.estoque == 0 {
            for (_, conexao) in &mut self.conexoes {
                conexao.dizer(AVISO);
            }
        }
    }

    /// Escreve o que há a dizer e solta quem já se foi, com as compras que ele tinha anotadas: a
    /// chave dele pode ser, no turno seguinte, de outra conexão.
    fn despachar(&mut self) {
        self.conexoes.retain(|_, conexao| {
            conexao.escrever();
            !conexao.acabou
        });
        self.podem_comprar.retain(|chave| self.conexoes.contains(*chave));
    }
}

impl Conexao {
    fn dizer(&mut self, texto: impl Display) {
        // Escrever em um Vec não falha.
        let _ = writeln!(self.saida, "{texto}");
    }

    /// Lê até o socket secar, porque o aviso do epoll não se repete, e devolve o que se pediu.
    fn ler(&mut self) -> Vec<Comando> {
        let (mut bytes, mut pedidos) = (Vec::new(), Vec::new());
        // Um socket que seca é um erro, mas o que se leu antes dele fica em `bytes`.
        let lido = self.fluxo.read_to_end(&mut bytes);
        self.acabou = !lido.is_err_and(|erro| erro.kind() == ErrorKind::WouldBlock);
        let mut chegaram = &bytes[..];
        while let Some(linha) = self.linhas.proxima(&mut chegaram) {
            pedidos.push(linha.into());
        }
        while let Some(linha) = self.linhas.secou() {
            pedidos.push(linha.into());
        }
        pedidos
    }

    /// Escreve o que couber; o resto fica para quando o socket voltar a aceitar.
    fn escrever(&mut self) {
        while !self.saida.is_empty() {
            match self.fluxo.write(&self.saida) {
                Ok(escritos) => drop(self.saida.drain(..escritos)),
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.acabou = true,
            }
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
            dizer(format_args!("laco_em_dois_turnos: porta {porta}: {porque}; veja --porta"));
            ExitCode::FAILURE
        }
    }
}

fn servir(opcoes: &Opcoes) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut escuta = TcpListener::bind((Ipv4Addr::UNSPECIFIED, opcoes.porta).into())?;
    poll.registry().register(&mut escuta, ESCUTA, Interest::READABLE)?;
    let (endereco, estoque) = (escuta.local_addr()?, opcoes.estoque);
    dizer(format_args!(
        "laco_em_dois_turnos: ouvindo em {endereco} (estoque: {estoque}, COMPRAR em dois turnos)"
    ));
    let estoque = i64::try_from(estoque).unwrap_or(i64::MAX);
    let (conexoes, podem_comprar) = (Slab::new(), Vec::new());
    Laco { escuta, conexoes, estoque, podem_comprar }.rodar(&mut poll)
}
