//! O sistema operacional de mentira: sockets em memória, mais severos que o Linux.
//!
//! - **Leitura.** Uma leitura dá o que chegou, até encher o buffer. Só depois de uma leitura ver o
//!   socket vazio (curta, `WouldBlock`) a próxima chegada dá um evento, e um só. Depois de uma
//!   leitura que encheu o buffer, ou de um evento ainda não lido até o fim, o que chega não avisa.
//! - **Escrita.** Leva de um byte até a janela. Só depois de um `WouldBlock` a janela que abre dá
//!   um evento; uma escrita curta não dá nada.
//! - **Fim.** Vem depois dos bytes, como zero, e sempre dá um evento, que o anuncia.
//! - **Reset.** Um erro ao ler (com ou sem os bytes não lidos antes dele) e ao escrever.
//!
//! Cada fluxo sabe de quem é e anota em um diário tudo o que lhe fazem; aqui não se julga nada além
//! do que nenhum socket admitiria.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::rc::Rc;

use servidor::loja::Venda;

use crate::evento::Sinais;

/// O que o balcão fez com um fluxo, e no que deu.
#[derive(Debug, Clone)]
pub enum Gesto {
    Leu {
        nome: usize,
        espaco: usize,
        deu: Leitura,
    },
    /// `oferecidos` é onde estão os bytes, em [`Rede::oferecidos`].
    Escreveu {
        nome: usize,
        oferecidos: Range<usize>,
        deu: Escrita,
    },
    FechouEscrita {
        nome: usize,
    },
    /// O turno pediu ao livro que firmasse estas vendas.
    Firmou {
        /// Os pedidos com id, e quanto sobrou depois de cada um; `None` se já não havia.
        numerados: Vec<(String, Option<u64>)>,
        vendas: Vec<Venda>,
        firmou: bool,
        /// Em milissegundos.
        demora: u64,
    },
    Largou {
        nome: usize,
    },
    /// O que nenhum programa certo faz com um socket.
    Abusou {
        nome: usize,
        como: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leitura {
    Bytes(usize),
    Fim,
    Seco,
    Interrompida,
    Erro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escrita {
    Bytes(usize),
    Cheio,
    Interrompida,
    Erro,
}

/// Como está a ponta do cliente.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ponta {
    Aberta,
    Fechada,
    Quebrada,
}

/// Uma conexão vista do sistema.
#[derive(Debug)]
pub struct Cano {
    /// Tudo o que chegou, e até onde o balcão leu.
    pub ida: Vec<u8>,
    pub lido: usize,
    /// Onde está o byte urgente, se há um por ler.
    urgente: Option<usize>,
    pub ponta: Ponta,
    viu_o_fim: bool,
    pub gole: usize,
    cabe: usize,
    escrita_quebrada: bool,
    escrita_fechada: bool,
    pub interrompe_leitura: u8,
    pub interrompe_escrita: u8,
    /// O balcão viu o socket vazio: a próxima chegada avisa.
    armado: bool,
    /// O balcão viu a janela fechada: quando ela abrir, avisa.
    travado: bool,
    /// O que o epoll deve a este fluxo.
    pub evento: Sinais,
    pub largado: bool,
}

impl Cano {
    fn novo() -> Self {
        Cano {
            ida: Vec::new(),
            lido: 0,
            urgente: None,
            ponta: Ponta::Aberta,
            viu_o_fim: false,
            gole: usize::MAX,
            cabe: usize::MAX,
            escrita_quebrada: false,
            escrita_fechada: false,
            interrompe_leitura: 0,
            interrompe_escrita: 0,
            armado: true,
            travado: false,
            evento: Sinais::default(),
            largado: false,
        }
    }

    pub fn chega(&mut self, bytes: &[u8]) {
        if self.ponta != Ponta::Aberta {
            return;
        }
        self.ida.extend_from_slice(bytes);
        self.evento.legivel |= std::mem::take(&mut self.armado);
    }

    pub fn chega_urgente(&mut self) {
        if self.ponta == Ponta::Aberta {
            self.chega(b"!");
            self.urgente = Some(self.ida.len());
            self.evento.legivel = true;
            self.evento.secar = true;
        }
    }

    pub fn fecha(&mut self) {
        if self.ponta == Ponta::Aberta {
            self.ponta = Ponta::Fechada;
            self.evento.legivel = true;
            self.evento.secar = true;
        }
    }

    pub fn quebra(&mut self, perde: bool) {
        if self.ponta == Ponta::Quebrada || self.viu_o_fim {
            // Depois de lido o fim, só a escrita e o epoll ainda podem dizer do reset.
            self.quebra_escrita();
            self.evento = Sinais { legivel: true, gravavel: true, secar: true };
            return;
        }
        self.ponta = Ponta::Quebrada;
        if perde {
            self.ida.truncate(self.lido);
        }
        self.evento = Sinais { legivel: true, gravavel: true, secar: true };
    }

    pub fn quebra_escrita(&mut self) {
        self.escrita_quebrada = true;
        self.evento.gravavel |= std::mem::take(&mut self.travado);
    }

    /// O cliente leu, e cabem mais `bytes`.
    pub fn janela(&mut self, bytes: usize) {
        self.cabe = bytes;
        if bytes > 0 {
            self.evento.gravavel |= std::mem::take(&mut self.travado);
        }
    }

    /// O epoll disse o que devia, ou mentiu; de um modo ou de outro, só volta a falar de leitura
    /// depois que o socket secar.
    pub fn avisado(&mut self, sinais: Sinais) {
        if sinais.legivel || sinais.secar {
            self.armado = false;
        }
    }

    pub fn por_ler(&self) -> usize {
        self.ida.len() - self.lido
    }

    /// Há bytes, ou um fim, que o balcão não viu e de que nenhum evento falará?
    pub fn sem_anuncio(&self) -> bool {
        let fim_por_ver = self.ponta != Ponta::Aberta && !self.viu_o_fim;
        (self.por_ler() > 0 || fim_por_ver) && !self.evento.legivel
    }

    fn ler(&mut self, destino: &mut [u8]) -> Leitura {
        if self.interrompe_leitura > 0 {
            self.interrompe_leitura -= 1;
            return Leitura::Interrompida;
        }
        let mut ha = self.por_ler();
        if let Some(marca) = self.urgente {
            if marca > self.lido {
                ha = ha.min(marca - self.lido);
            } else {
                self.urgente = None;
            }
        }
        if ha == 0 {
            self.viu_o_fim = self.ponta != Ponta::Aberta;
            self.armado = true;
            return match self.ponta {
                Ponta::Aberta => Leitura::Seco,
                Ponta::Fechada => Leitura::Fim,
                Ponta::Quebrada => Leitura::Erro,
            };
        }
        let lidos = ha.min(destino.len());
        destino[..lidos].copy_from_slice(&self.ida[self.lido..self.lido + lidos]);
        self.lido += lidos;
        self.armado |= lidos < destino.len() && self.por_ler() == 0;
        Leitura::Bytes(lidos)
    }

    fn escrever(&mut self, bytes: usize) -> Escrita {
        if self.interrompe_escrita > 0 {
            self.interrompe_escrita -= 1;
            return Escrita::Interrompida;
        }
        if self.escrita_quebrada || self.ponta == Ponta::Quebrada {
            return Escrita::Erro;
        }
        // Aos goles, mas de muito em muito: um megabyte não vai de byte em byte.
        let escritos = bytes.min(self.cabe).min(self.gole.max(bytes / 16));
        if escritos == 0 {
            self.travado = true;
            return Escrita::Cheio;
        }
        if self.cabe != usize::MAX {
            self.cabe -= escritos;
        }
        Escrita::Bytes(escritos)
    }
}

/// Todos os canos, pelo nome, e o diário do que o balcão fez com eles.
#[derive(Debug, Default)]
pub struct Rede {
    pub canos: Vec<Option<Cano>>,
    pub gestos: Vec<Gesto>,
    pub oferecidos: Vec<u8>,
}

/// Um turno que faz mais do que isto não vai parar nunca.
const GESTOS_DEMAIS: usize = 20_000;

impl Rede {
    pub fn abrir(&mut self, nome: usize) {
        while self.canos.len() <= nome {
            self.canos.push(None);
        }
        self.canos[nome] = Some(Cano::novo());
    }

    /// O cano de quem já entrou.
    pub fn cano(&mut self, nome: usize) -> Option<&mut Cano> {
        self.canos.get_mut(nome)?.as_mut()
    }

    pub fn limpar_diario(&mut self) {
        self.gestos.clear();
        self.oferecidos.clear();
    }

    pub fn anotar(&mut self, gesto: Gesto) {
        assert!(self.gestos.len() < GESTOS_DEMAIS, "o turno não acaba");
        self.gestos.push(gesto);
    }
}

/// A ponta do balcão: o que em produção é o socket do mio.
#[derive(Debug)]
pub struct FluxoFalso {
    nome: usize,
    rede: Rc<RefCell<Rede>>,
}

impl FluxoFalso {
    pub fn novo(nome: usize, rede: &Rc<RefCell<Rede>>) -> Self {
        rede.borrow_mut().abrir(nome);
        FluxoFalso { nome, rede: Rc::clone(rede) }
    }

    pub fn fechar_escrita(&self) {
        let (rede, nome) = (&mut *self.rede.borrow_mut(), self.nome);
        let Some(cano) = rede.cano(nome) else { return };
        if std::mem::replace(&mut cano.escrita_fechada, true) {
            rede.anotar(Gesto::Abusou { nome, como: "fechou a escrita duas vezes" });
        }
        rede.anotar(Gesto::FechouEscrita { nome });
    }
}

impl Read for FluxoFalso {
    fn read(&mut self, destino: &mut [u8]) -> io::Result<usize> {
        let (rede, nome) = (&mut *self.rede.borrow_mut(), self.nome);
        let Some(cano) = rede.cano(nome) else { return Ok(0) };
        let depois_do_fim = cano.viu_o_fim;
        let deu = cano.ler(destino);
        if depois_do_fim {
            rede.anotar(Gesto::Abusou { nome, como: "leu depois do fim" });
        }
        rede.anotar(Gesto::Leu { nome, espaco: destino.len(), deu });
        match deu {
            Leitura::Bytes(lidos) => Ok(lidos),
            Leitura::Fim => Ok(0),
            Leitura::Seco => Err(ErrorKind::WouldBlock.into()),
            Leitura::Interrompida => Err(ErrorKind::Interrupted.into()),
            Leitura::Erro => Err(ErrorKind::ConnectionReset.into()),
        }
    }
}

impl Write for FluxoFalso {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (rede, nome) = (&mut *self.rede.borrow_mut(), self.nome);
        let Some(cano) = rede.cano(nome) else { return Ok(0) };
        let abuso =
            if cano.escrita_fechada { Some("escreveu depois de fechar a escrita") } else { None };
        let deu = cano.escrever(bytes.len());
        if let Some(como) = abuso.or(bytes.is_empty().then_some("escreveu nada")) {
            rede.anotar(Gesto::Abusou { nome, como });
        }
        let inicio = rede.oferecidos.len();
        rede.oferecidos.extend_from_slice(bytes);
        let oferecidos = inicio..rede.oferecidos.len();
        rede.anotar(Gesto::Escreveu { nome, oferecidos, deu });
        match deu {
            Escrita::Bytes(escritos) => Ok(escritos),
            Escrita::Cheio => Err(ErrorKind::WouldBlock.into()),
            Escrita::Interrompida => Err(ErrorKind::Interrupted.into()),
            Escrita::Erro => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FluxoFalso {
    fn drop(&mut self) {
        // Em meio a um pânico a rede pode estar na mão de outro; aí já não há o que anotar.
        if let Ok(mut rede) = self.rede.try_borrow_mut() {
            let nome = self.nome;
            if let Some(cano) = rede.cano(nome) {
                cano.largado = true;
            }
            rede.gestos.push(Gesto::Largou { nome });
        }
    }
}
