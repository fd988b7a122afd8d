//! O gerador de carga: uma thread, um epoll, e N conexões que têm sempre W pedidos em voo. Cada resposta
//! que chega põe outro pedido no lugar (um circuito fechado), e entre uma corrida e outra nada fica em
//! voo: o que se mede antes e depois dela é só dela.
//!
//! Faz por comando o mínimo que um cliente pode fazer, uma leitura e uma escrita, para que o gargalo seja
//! o servidor; a tabela diz quanto da janela ele próprio passou ocupado. Não manda a um ritmo fixo: um
//! servidor lento recebe menos pedidos, e a latência dele é a de quem espera a sua vez.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as TcpQueBloqueia};
use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use testes::PRAZO;

use crate::fala::{Fala, Leitor};
use crate::gasto::cpu_desta_thread;

/// Um endereço de origem tem umas 28 mil portas; as conexões se espalham por vários, com folga.
const POR_ORIGEM: usize = 4000;

/// Conexões prontas para receber carga.
#[derive(Debug)]
pub struct Carga {
    poll: Poll,
    eventos: Events,
    ligacoes: Vec<Ligacao>,
    /// Quantos destinos: a conexão `n` é a do destino `n % destinos`.
    destinos: usize,
    pedido: Vec<u8>,
    rascunho: Box<[u8]>,
    /// Respostas recebidas na vida desta carga.
    pub respostas: u64,
}

#[derive(Debug)]
struct Ligacao {
    fluxo: TcpStream,
    leitor: Leitor,
    /// Quando saíram os pedidos ainda sem resposta, e quantos de cada vez.
    em_voo: VecDeque<Remessa>,
    /// Bytes que o socket ainda não aceitou.
    a_mandar: usize,
}

/// Pedidos que saíram juntos: o gerador paga por escrita, e não por pedido.
#[derive(Debug, Clone, Copy)]
struct Remessa {
    quando: Instant,
    pedidos: usize,
}

/// Tantos pedidos quantos cabem em voo, um atrás do outro, e o tamanho de um.
struct Pedidos {
    fila: Vec<u8>,
    um: usize,
}

/// O que se viu em uma corrida.
#[derive(Debug)]
pub struct Corrida {
    /// Respostas dentro da janela.
    pub na_janela: u64,
    /// As respostas de cada destino, na ordem em que se deram.
    pub por_destino: Vec<u64>,
    /// Todas, com as da rampa e as que estavam em voo quando a janela fechou.
    pub respostas: u64,
    /// Do pedido à resposta, em nanossegundos, as da janela.
    pub latencias: Histogram<u64>,
    /// A CPU do gerador, do começo ao fim.
    pub cpu: Duration,
    /// Do começo ao fim.
    pub duracao: Duration,
}

/// Uma conexão já aceita: o par já lhe respondeu uma vez, se `falar`. As de um endereço de origem se
/// repartem, e largá-la é um reset, que não deixa a porta em `TIME_WAIT`.
///
/// # Errors
///
/// O par não aceitou a conexão, ou não respondeu a tempo.
pub fn conectar(
    destino: SocketAddr,
    indice: usize,
    fala: &Fala,
    falar: bool,
) -> io::Result<TcpQueBloqueia> {
    let origem = Ipv4Addr::new(127, 0, 0, 1 + (indice / POR_ORIGEM) as u8);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((origem, 0)).into())?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(PRAZO))?;
    socket.connect(&destino.into())?;
    let mut fluxo = TcpQueBloqueia::from(socket);
    fala.entrar(&mut fluxo)?;
    if falar {
        fala.conversar(&mut fluxo)?;
    }
    Ok(fluxo)
}

impl Carga {
    /// Abre `quantas` conexões, repartidas pelos destinos, cada uma com um primeiro pedido já respondido.
    ///
    /// # Errors
    ///
    /// O par não as aceitou todas.
    pub fn conectar(destinos: &[SocketAddr], fala: &Fala, quantas: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut ligacoes = Vec::with_capacity(quantas);
        for indice in 0..quantas {
            let destino = destinos[indice % destinos.len()];
            let fluxo = conectar(destino, indice, fala, true)?;
            fluxo.set_nonblocking(true)?;
            let mut fluxo = TcpStream::from_std(fluxo);
            poll.registry().register(&mut fluxo, Token(indice), Interest::READABLE)?;
            let em_voo = VecDeque::new();
            ligacoes.push(Ligacao { fluxo, leitor: fala.leitor, em_voo, a_mandar: 0 });
        }
        Ok(Carga {
            poll,
            eventos: Events::with_capacity(1024),
            ligacoes,
            destinos: destinos.len(),
            pedido: fala.pedido.clone(),
            rascunho: vec![0; 64 * 1024].into(),
            respostas: quantas as u64,
        })
    }

    /// Mantém `em_voo` pedidos em cada conexão durante `rampa` e mais `janela`, e depois espera os que
    /// restam. A rampa dá tempo de todas entrarem no passo: com dez mil, a primeira volta demora.
    ///
    /// # Errors
    ///
    /// Uma conexão quebrou, ou o par deixou de responder.
    pub fn correr(
        &mut self,
        em_voo: usize,
        rampa: Duration,
        janela: Duration,
    ) -> io::Result<Corrida> {
        // Três algarismos, e nenhuma resposta leva mais de um minuto: o `PRAZO` vence antes.
        let latencias = Histogram::new_with_bounds(100, 60_000_000_000, 3);
        let latencias = latencias.map_err(io::Error::other)?;
        let pedidos = Pedidos { fila: self.pedido.repeat(em_voo), um: self.pedido.len() };
        let cpu = cpu_desta_thread();
        let comeco = Instant::now();
        let janela = comeco + rampa..comeco + rampa + janela;
        let zero = Duration::ZERO;
        let mut corrida = Corrida {
            na_janela: 0,
            por_destino: vec![0; self.destinos],
            respostas: 0,
            latencias,
            cpu: zero,
            duracao: zero,
        };
        for ligacao in &mut self.ligacoes {
            ligacao.pedir(em_voo, Instant::now(), &pedidos)?;
        }
        let mut abertos = (self.ligacoes.len() * em_voo) as u64;
        while abertos > 0 {
            self.poll.poll(&mut self.eventos, Some(PRAZO))?;
            if self.eventos.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            for evento in &self.eventos {
                let ligacao = &mut self.ligacoes[evento.token().0];
                let chegaram = ligacao.ouvir(&mut self.rascunho)?;
                let agora = Instant::now();
                corrida.respostas += chegaram as u64;
                corrida.por_destino[evento.token().0 % self.destinos] += chegaram as u64;
                ligacao
                    .tirar_do_voo(chegaram, |remessa| corrida.contar(remessa, agora, &janela))?;
                let novos = if agora < janela.end { chegaram } else { 0 };
                abertos -= (chegaram - novos) as u64;
                ligacao.pedir(novos, agora, &pedidos)?;
            }
        }
        corrida.duracao = comeco.elapsed();
        corrida.cpu = cpu_desta_thread() - cpu;
        self.respostas += corrida.respostas;
        Ok(corrida)
    }
}

impl Corrida {
    fn contar(&mut self, remessa: Remessa, agora: Instant, janela: &Range<Instant>) {
        if janela.contains(&agora) {
            let quantos = remessa.pedidos as u64;
            self.na_janela += quantos;
            let latencia = (agora - remessa.quando).as_nanos() as u64;
            self.latencias.saturating_record_n(latencia, quantos);
        }
    }
}

impl Ligacao {
    /// Põe mais `quantos` pedidos em voo, em uma escrita.
    fn pedir(&mut self, quantos: usize, agora: Instant, pedidos: &Pedidos) -> io::Result<()> {
        if quantos == 0 && self.a_mandar == 0 {
            return Ok(());
        }
        if quantos > 0 {
            self.em_voo.push_back(Remessa { quando: agora, pedidos: quantos });
        }
        // Todos os pedidos são iguais: o que falta mandar é o fim da fila deles.
        self.a_mandar += quantos * pedidos.um;
        let falta = &pedidos.fila[pedidos.fila.len() - self.a_mandar..];
        match self.fluxo.write(falta) {
            Ok(escritos) => self.a_mandar -= escritos,
            // O resto vai com o próximo evento, que vem: há respostas a caminho.
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => {}
            Err(erro) => return Err(erro),
        }
        Ok(())
    }

    /// Uma leitura, e quantas respostas ela trouxe. Nunca enche o rascunho: o que pode chegar é só o que
    /// se pediu.
    fn ouvir(&mut self, rascunho: &mut [u8]) -> io::Result<usize> {
        match self.fluxo.read(rascunho) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(lidos) => Ok(self.leitor.contar(&rascunho[..lidos])),
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(erro) => Err(erro),
        }
    }

    /// As respostas vêm na ordem dos pedidos: mostra a `contar` de que remessas eram estas.
    fn tirar_do_voo(
        &mut self,
        respostas: usize,
        mut contar: impl FnMut(Remessa),
    ) -> io::Result<()> {
        let mut faltam = respostas;
        while faltam > 0 {
            // Uma resposta que ninguém pediu: não é este protocolo.
            let primeira = self.em_voo.front_mut().ok_or(ErrorKind::InvalidData)?;
            let pedidos = primeira.pedidos.min(faltam);
            contar(Remessa { pedidos, ..*primeira });
            faltam -= pedidos;
            primeira.pedidos -= pedidos;
            if primeira.pedidos == 0 {
                self.em_voo.pop_front();
            }
        }
        Ok(())
    }
}
