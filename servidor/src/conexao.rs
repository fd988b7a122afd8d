//! Uma conexão: um fluxo de bytes, as linhas que chegam, a resposta que espera a vez de sair.
//!
//! Genérica sobre `Read + Write`: em produção o fluxo é o socket do mio; em um teste, um roteiro.
//! Nenhum método devolve `io::Error`. O que dá errado em um socket é um *estado* desta conexão, e o
//! que o cliente erra é uma *resposta*; assim o engano clássico, o reset de um cliente que sobe por
//! um `?` e derruba o servidor, não tem como ser escrito.
//!
//! A conexão não conhece a loja nem as outras conexões: entrega pedidos e recebe bytes a dizer.
//!
//! ```text
//!           fim do cliente, SAIR, linha
//!           longa, outro protocolo,                 disse tudo e
//!           lotado, encerramento                    fechou a escrita
//!   Aberta ─────────────────────────────► Despedindo ───────────────► Escoando
//!     │                                       │ disse tudo a quem       │ o cliente fechou,
//!     │ reset,                                │ já fechou; reset;       │ quebrou, ou passou
//!     │ prazo vencido                         │ prazo vencido           │ o prazo
//!     └───────────────────────────────────────┴─────────► Morta ◄───────┘
//! ```

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Linha, Linhas, RESPOSTA_MAXIMA};

/// Quanto se lê de uma conexão por turno. É pouco de propósito: quem manda muito espera os outros.
pub const LEITURA_POR_TURNO: usize = 4 * 1024;

/// O máximo de bytes à espera de um cliente que não lê. Não há código que o imponha: só se lê de
/// quem já recebeu tudo, o menor pedido com resposta tem dois bytes ("x\n"), e o AVISO, a única
/// coisa que se diz sem que peçam, sai uma vez. O compilador confere a conta.
pub const SAIDA_MAXIMA: usize = 256 * 1024;

// O que sobra da comparação estrita é o fim de linha do AVISO.
const _: () = assert!((LEITURA_POR_TURNO / 2 + 1) * RESPOSTA_MAXIMA + AVISO.len() < SAIDA_MAXIMA);

/// O que uma resposta costuma ocupar; é só uma previsão, para reservar memória.
const RESPOSTA_COMUM: usize = 48;

/// Quanto tempo uma linha pode ficar sem terminar.
pub const PRAZO_DA_LINHA: Duration = Duration::from_secs(30);

/// Quanto tempo um cliente pode ficar sem ler nada do que espera por ele.
pub const PRAZO_DA_SAIDA: Duration = Duration::from_secs(30);

/// Depois da despedida, quanto tempo se espera o cliente fechar o lado dele.
pub const PRAZO_DO_ADEUS: Duration = Duration::from_secs(2);

/// O que uma linha do cliente pede ao balcão.
#[derive(Debug, PartialEq, Eq)]
pub enum Pedido {
    /// Um comando, conhecido ou não.
    Comando(Comando),
    /// Uma linha que passou do limite: merece a resposta e o fim da conversa.
    LinhaLonga,
    /// Um aperto de mãos do TLS: idem.
    Tls,
}

/// Por que uma conexão terminou. `Display` dá a palavra que vai ao registro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fim {
    /// O cliente fechou em ordem.
    Cliente,
    /// O socket quebrou: reset, ou qualquer outro erro de leitura ou escrita.
    Reset,
    /// O cliente mandou SAIR.
    Sair,
    /// O cliente mandou uma linha maior que o limite.
    LinhaLonga,
    /// O cliente fala HTTP ou TLS.
    OutroProtocolo,
    /// Não havia lugar.
    Lotado,
    /// Passou do tempo de `--ocioso` sem mandar nada.
    Ocioso,
    /// Começou uma linha e não a terminou em [`PRAZO_DA_LINHA`].
    LinhaIncompleta,
    /// Passou [`PRAZO_DA_SAIDA`] sem ler nada do que espera por ele.
    NaoLe,
    /// O servidor está fechando.
    Encerramento,
}

impl fmt::Display for Fim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fim::Cliente => "fim",
            Fim::Reset => "reset",
            Fim::Sair => "sair",
            Fim::LinhaLonga => "linha longa",
            Fim::OutroProtocolo => "outro protocolo",
            Fim::Lotado => "lotado",
            Fim::Ocioso => "ocioso",
            Fim::LinhaIncompleta => "linha incompleta",
            Fim::NaoLe => "sem leitura",
            Fim::Encerramento => "encerramento",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Estado {
    /// Lê pedidos e responde.
    Aberta,
    /// Já se disse ou se decidiu a última palavra; entrega o que falta dizer.
    Despedindo(Fim),
    /// Disse tudo e fechou o seu lado. Joga fora o que chegar até o cliente fechar o dele: fechar
    /// com bytes por ler faria o sistema mandar um reset, que pode apagar a última resposta antes
    /// de o cliente a ler (RFC 1122, 4.2.2.13).
    Escoando(Fim),
    /// Nada mais a fazer; espera o enterro.
    Morta(Fim),
}

/// O que um evento disse de um fluxo.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prontidao {
    /// Há o que ler, ou o fim.
    pub legivel: bool,
    /// Cabe mais na escrita.
    pub gravavel: bool,
    /// Uma leitura curta não basta para saber que o socket secou: é preciso ler até o WouldBlock,
    /// o zero ou o erro. É o caso de um fim (ou de um byte urgente) que o evento já trazia.
    pub ler_ate_secar: bool,
}

/// Uma conexão com um cliente.
#[derive(Debug)]
pub struct Conexao<F> {
    fluxo: F,
    endereco: SocketAddr,
    estado: Estado,
    linhas: Linhas,
    /// Já mandou o seu último pedido; o que vier depois, ainda que na mesma leitura, não vale.
    fez_o_ultimo: bool,
    /// O que falta dizer, a partir de `dito`.
    saida: Vec<u8>,
    dito: usize,
    /// Lembrada: o epoll por borda avisa uma vez, e o aviso vale até o socket secar.
    prontidao: Prontidao,
    leu_em: Instant,
    linha_desde: Option<Instant>,
    /// Quando entregou algo pela última vez, ou passou a ter algo a entregar; escoando, desde quando.
    disse_em: Instant,
}

impl<F: Read + Write> Conexao<F> {
    /// Uma conexão recém-aceita: pode-se escrever; para ler, espera-se o evento.
    pub fn nova(fluxo: F, endereco: SocketAddr, agora: Instant) -> Self {
        Conexao {
            fluxo,
            endereco,
            estado: Estado::Aberta,
            linhas: Linhas::default(),
            fez_o_ultimo: false,
            saida: Vec::new(),
            dito: 0,
            prontidao: Prontidao { gravavel: true, ..Prontidao::default() },
            leu_em: agora,
            linha_desde: None,
            disse_em: agora,
        }
    }

    /// O endereço do cliente.
    pub fn endereco(&self) -> SocketAddr {
        self.endereco
    }

    /// Há o que ler e pode-se ler? Quem ainda não recebeu as respostas anteriores espera: a fila
    /// cresce no socket do cliente, não na nossa memória.
    pub fn quer_ler(&self) -> bool {
        let le = match self.estado {
            Estado::Aberta => !self.fez_o_ultimo,
            Estado::Escoando(_) => true,
            Estado::Despedindo(_) | Estado::Morta(_) => false,
        };
        le && self.prontidao.legivel && self.saida.is_empty()
    }

    /// Há o que dizer (ou uma despedida a concluir) e pode-se escrever?
    pub fn quer_escrever(&self) -> bool {
        match self.estado {
            Estado::Aberta => self.prontidao.gravavel && !self.saida.is_empty(),
            Estado::Despedindo(_) => self.prontidao.gravavel,
            Estado::Escoando(_) | Estado::Morta(_) => false,
        }
    }

    /// Se já morreu, de quê.
    pub fn morta(&self) -> Option<Fim> {
        match self.estado {
            Estado::Morta(fim) => Some(fim),
            _ => None,
        }
    }

    /// O cliente ainda deve ouvir o AVISO? Quem só fechou o lado dele ainda escuta.
    pub fn ouve_avisos(&self) -> bool {
        matches!(self.estado, Estado::Aberta | Estado::Despedindo(Fim::Cliente | Fim::Encerramento))
    }

    /// Anota o que um evento disse, sem esquecer o que os anteriores disseram.
    pub fn marcar(&mut self, novidade: Prontidao) {
        self.prontidao.legivel |= novidade.legivel || novidade.ler_ate_secar;
        self.prontidao.gravavel |= novidade.gravavel;
        self.prontidao.ler_ate_secar |= novidade.ler_ate_secar;
    }

    /// Uma leitura, e os pedidos que ela completa, na ordem. O fim do fluxo vem depois dos bytes
    /// que o antecedem: tudo o que chegou completo vale. Um reset não completa nada.
    pub fn ler(&mut self, rascunho: &mut [u8], agora: Instant, mut pedir: impl FnMut(Pedido)) {
        let lidos = match self.fluxo.read(rascunho) {
            Ok(lidos) => lidos,
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => {
                self.prontidao.legivel = false;
                self.prontidao.ler_ate_secar = false;
                return self.secou(&mut pedir);
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => return,
            Err(_) => return self.morrer(Fim::Reset),
        };
        if let Estado::Escoando(fim) = self.estado {
            return if lidos == 0 {
                self.morrer(fim)
            };
        }
        if lidos == 0 {
            self.secou(&mut pedir);
            return self.despedir(Fim::Cliente);
        }
        self.leu_em = agora;
        let fez = &mut self.fez_o_ultimo;
        self.linhas.receber(&rascunho[..lidos], |linha| entender(linha, fez, &mut pedir));
        self.contar_prazo_da_linha(agora, rascunho[..lidos].contains(&b'\n'));
        if lidos < rascunho.len() {
            // Uma leitura curta esvaziou o socket (epoll(7)), e o que vier depois dará outro
            // evento; salvo o que o evento desta leitura já trazia, que não se repete.
            self.prontidao.legivel = self.prontidao.ler_ate_secar;
            self.secou(&mut pedir);
        }
    }

    /// O socket secou: a palavra solta, se é o que sobrou, vale agora.
    fn secou(&mut self, pedir: &mut impl FnMut(Pedido)) {
        let fez = &mut self.fez_o_ultimo;
        self.linhas.secou(|linha| entender(linha, fez, pedir));
        if !self.linhas.incompleta() {
            self.linha_desde = None;
        }
    }

    /// O prazo é de cada linha: recomeça se, na mesma leitura, uma terminou e outra começou.
    fn contar_prazo_da_linha(&mut self, agora: Instant, terminou_alguma: bool) {
        if !self.linhas.incompleta() {
            self.linha_desde = None;
        } else if terminou_alguma || self.linha_desde.is_none() {
            self.linha_desde = Some(agora);
        }
    }

    /// O servidor está fechando: se já leu tudo o que o socket tinha, despede-se. Quem já se
    /// despediu por conta própria fica com a sua despedida.
    pub fn encerrar(&mut self) {
        if !self.prontidao.legivel {
            self.despedir(Fim::Encerramento);
        }
    }

    /// Vêm tantas respostas: reserva de uma vez o que costumam ocupar, em vez de crescer aos poucos.
    pub fn esperar_respostas(&mut self, quantas: usize) {
        self.saida.reserve(quantas * RESPOSTA_COMUM);
    }

    /// Põe bytes na fila de saída. Nada é escrito aqui: isso fica para o fim do turno.
    pub fn dizer(&mut self, agora: Instant, escrever: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.estado, Estado::Aberta | Estado::Despedindo(_)) {
            return;
        }
        if self.saida.is_empty() {
            self.disse_em = agora;
        }
        escrever(&mut self.saida);
    }

    /// Escreve o que falta dizer; se era a última palavra, conclui a despedida.
    pub fn escrever(&mut self, agora: Instant, fechar_escrita: fn(&F)) {
        while self.dito < self.saida.len() {
            match self.fluxo.write(&self.saida[self.dito..]) {
                Ok(0) => return self.morrer(Fim::Reset),
                Ok(escritos) => {
                    self.dito += escritos;
                    self.disse_em = agora;
                }
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => {
                    self.prontidao.gravavel = false;
                    return;
                }
                Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.morrer(Fim::Reset),
            }
        }
        // Quem já ouviu tudo não ocupa memória: a maioria das conexões está parada.
        self.saida = Vec::new();
        self.dito = 0;
        match self.estado {
            Estado::Despedindo(Fim::Cliente) => self.morrer(Fim::Cliente),
            Estado::Despedindo(fim) => {
                fechar_escrita(&self.fluxo);
                self.estado = Estado::Escoando(fim);
                self.disse_em = agora;
            }
            _ => {}
        }
    }

    /// Daqui em diante só diz o que falta, e fecha.
    pub fn despedir(&mut self, fim: Fim) {
        if self.estado == Estado::Aberta {
            self.estado = Estado::Despedindo(fim);
        }
    }

    /// Confere os prazos; `ocioso` é o de `--ocioso`, se há.
    pub fn vigiar(&mut self, agora: Instant, ocioso: Option<Duration>) {
        let passou = |desde: Instant, prazo: Duration| agora.duration_since(desde) >= prazo;
        let vencido = match self.estado {
            Estado::Morta(_) => None,
            Estado::Escoando(fim) => passou(self.disse_em, PRAZO_DO_ADEUS).then_some(fim),
            // Com algo a dizer, é o cliente quem está em falta; os outros prazos esperam.
            _ if !self.saida.is_empty() => {
                passou(self.disse_em, PRAZO_DA_SAIDA).then_some(Fim::NaoLe)
            }
            // O que ele mandou ainda nem foi lido: o atraso é do balcão.
            _ if self.quer_ler() => None,
            _ if self.linha_desde.is_some_and(|desde| passou(desde, PRAZO_DA_LINHA)) => {
                Some(Fim::LinhaIncompleta)
            }
            // Quem acaba de ouvir não está ocioso, ainda que a resposta tenha demorado.
            _ => {
                let ativo_em = self.leu_em.max(self.disse_em);
                ocioso.filter(|prazo| passou(ativo_em, *prazo)).map(|_| Fim::Ocioso)
            }
        };
        if let Some(fim) = vencido {
            self.morrer(fim);
        }
    }

    /// O prazo de fechar venceu com esta conexão ainda por aqui.
    pub fn abandonar(&mut self) {
        self.morrer(Fim::Encerramento);
    }

    fn morrer(&mut self, fim: Fim) {
        // A primeira causa é a que conta: um reset depois de "lotado" é ainda "lotado".
        let causa = match self.estado {
            Estado::Aberta => fim,
            Estado::Despedindo(causa) | Estado::Escoando(causa) | Estado::Morta(causa) => causa,
        };
        self.estado = Estado::Morta(causa);
    }
}

/// Uma linha vira um pedido, a menos que o cliente já tenha feito o seu último.
fn entender(linha: Linha<'_>, fez_o_ultimo: &mut bool, pedir: &mut impl FnMut(Pedido)) {
    if *fez_o_ultimo {
        return;
    }
    let pedido = match linha {
        Linha::Completa(bytes) => Pedido::Comando(Comando::interpretar(bytes)),
        Linha::LongaDemais => Pedido::LinhaLonga,
        Linha::Tls => Pedido::Tls,
    };
    *fez_o_ultimo = match &pedido {
        Pedido::Comando(comando) => matches!(comando, Comando::Sair | Comando::Http(_)),
        Pedido::LinhaLonga | Pedido::Tls => true,
    };
    pedir(pedido);
}
