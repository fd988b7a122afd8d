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
//!     └───────────────────────────────────────┴───────► Encerrada ◄─────┘
//! ```

mod fim;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Linha, Linhas, RESPOSTA_MAXIMA};

use crate::saidas::Saidas;
pub use fim::Fim;

/// Quanto se lê de uma conexão por turno. É pouco de propósito: quem manda muito espera os outros.
pub const LEITURA_POR_TURNO: usize = 4 * 1024;

/// Quantos pedidos de uma conexão se atendem por turno. Uma leitura pode trazer dois mil, que custam a
/// quem espera muito mais do que os bytes lidos: os que passam disto ficam na conexão, e o turno segue.
pub const PEDIDOS_POR_TURNO: usize = 64;

/// O máximo de bytes à espera de um cliente que não lê. Não há código que o imponha: só se atende
/// quem já recebeu tudo, um turno atende no máximo [`PEDIDOS_POR_TURNO`], e o que se diz sem que peçam,
/// o AVISO e a última palavra, sai uma vez. O compilador confere a conta.
pub const SAIDA_MAXIMA: usize = 8 * 1024;

// O que sobra da comparação estrita é o fim de linha do AVISO.
const _: () = assert!((PEDIDOS_POR_TURNO + 1) * RESPOSTA_MAXIMA + AVISO.len() < SAIDA_MAXIMA);

/// O que uma resposta costuma ocupar; é só uma previsão, para reservar memória.
const RESPOSTA_COMUM: usize = 48;

/// Quanto tempo uma linha pode ficar sem terminar.
pub const PRAZO_DA_LINHA: Duration = Duration::from_secs(30);

/// Quanto tempo um cliente pode ficar sem ler nada do que espera por ele.
pub const PRAZO_DA_SAIDA: Duration = Duration::from_secs(30);

/// Depois da despedida, quanto tempo se espera o cliente fechar o lado dele.
pub const PRAZO_PARA_FECHAR: Duration = Duration::from_secs(2);

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
    /// Nada mais a fazer; espera a remoção.
    Encerrada(Fim),
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
    /// O que se leu e ainda não virou pedido: passava do que se atende em um turno.
    sobra: Vec<u8>,
    /// A última leitura foi curta: acabando a sobra, o socket secou.
    leitura_curta: bool,
    /// Já mandou o seu último pedido; o que vier depois, ainda que na mesma leitura, não vale.
    fez_o_ultimo: bool,
    /// Tem pedidos em um lote por decidir.
    aguarda: bool,
    /// O que falta dizer, a partir de `escritos`.
    saida: Vec<u8>,
    escritos: usize,
    deu_a_ultima_palavra: bool,
    /// Lembrada: o epoll por borda avisa uma vez, e o aviso vale até o socket secar.
    prontidao: Prontidao,
    leu_em: Instant,
    linha_desde: Option<Instant>,
    /// Quando entregou algo pela última vez, ou passou a ter algo a entregar; escoando, desde quando.
    escreveu_em: Instant,
}

impl<F: Read + Write> Conexao<F> {
    /// Uma conexão recém-aceita: pode-se escrever; para ler, espera-se o evento.
    pub fn nova(fluxo: F, endereco: SocketAddr, agora: Instant) -> Self {
        Conexao {
            fluxo,
            endereco,
            estado: Estado::Aberta,
            linhas: Linhas::default(),
            sobra: Vec::new(),
            leitura_curta: false,
            fez_o_ultimo: false,
            aguarda: false,
            saida: Vec::new(),
            escritos: 0,
            deu_a_ultima_palavra: false,
            prontidao: Prontidao { gravavel: true, ..Prontidao::default() },
            leu_em: agora,
            linha_desde: None,
            escreveu_em: agora,
        }
    }

    /// O endereço do cliente.
    pub fn endereco(&self) -> SocketAddr {
        self.endereco
    }

    /// O que mandou da última linha e não terminou.
    pub fn inacabada(&self) -> &[u8] {
        self.linhas.inacabada()
    }

    /// Quantos bytes de memória esta conexão ocupa com o que tem por dizer, com o que tem por atender e com
    /// a linha que não terminou.
    pub fn guardados(&self) -> usize {
        self.saida.capacity() + self.sobra.capacity() + self.linhas.guardados()
    }

    /// Se a memória acabar, quem sai primeiro é o menor: os que não leem, o que há mais tempo não lê na
    /// frente; depois os outros, o que há mais tempo nada manda na frente.
    pub fn ordem_de_sair(&self) -> (bool, Instant) {
        let ouviu_tudo = self.saida.is_empty();
        (ouviu_tudo, if ouviu_tudo { self.leu_em } else { self.escreveu_em })
    }

    /// Há o que ler (ou o que se leu e sobrou) e pode-se ler? Quem ainda não recebeu as respostas
    /// anteriores espera: a fila cresce no socket do cliente, não na nossa memória.
    pub fn quer_ler(&self) -> bool {
        // Primeiro o que mais vezes é falso: pergunta-se isto a cada passo do turno.
        (self.prontidao.legivel || !self.sobra.is_empty())
            && self.saida.is_empty()
            && !self.aguarda
            && match self.estado {
                Estado::Aberta => !self.fez_o_ultimo,
                Estado::Escoando(_) => true,
                Estado::Despedindo(_) | Estado::Encerrada(_) => false,
            }
    }

    /// Há o que dizer (ou uma despedida a concluir) e pode-se escrever?
    pub fn quer_escrever(&self) -> bool {
        match self.estado {
            Estado::Aberta => self.prontidao.gravavel && !self.saida.is_empty(),
            Estado::Despedindo(_) => self.prontidao.gravavel && !self.aguarda,
            Estado::Escoando(_) | Estado::Encerrada(_) => false,
        }
    }

    /// Tem pedidos em um lote por decidir?
    pub fn aguarda(&self) -> bool {
        self.aguarda
    }

    /// Os pedidos dela entraram em um lote por decidir, ou ele se decidiu.
    pub fn aguardar(&mut self, aguarda: bool) {
        self.aguarda = aguarda;
    }

    /// Se já terminou, por quê.
    pub fn encerrada(&self) -> Option<Fim> {
        match self.estado {
            Estado::Encerrada(fim) => Some(fim),
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

    /// Uma leitura, e os pedidos que ela completa, na ordem, com quantas vezes seguidas vem cada um; ou, se da anterior ainda há sobra, os
    /// pedidos dela. O fim do fluxo vem depois dos bytes que o antecedem: tudo o que chegou completo
    /// vale. Um reset não completa nada.
    pub fn ler(
        &mut self,
        buffer_de_leitura: &mut [u8],
        agora: Instant,
        mut pedir: impl FnMut(Comando, usize),
    ) {
        if !self.sobra.is_empty() {
            let mut sobra = std::mem::take(&mut self.sobra);
            let recebidos = sobra.len() - self.receber(&sobra, agora, &mut pedir).len();
            if recebidos < sobra.len() {
                sobra.drain(..recebidos);
                self.sobra = sobra;
            }
            return;
        }
        let lidos = match self.fluxo.read(buffer_de_leitura) {
            Ok(lidos) => lidos,
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => {
                self.prontidao.legivel = false;
                self.prontidao.ler_ate_secar = false;
                return self.secou(&mut pedir);
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => return,
            Err(erro) => return self.quebrou(&erro),
        };
        if let Estado::Escoando(fim) = self.estado {
            return if lidos == 0 {
                self.terminar(fim)
            };
        }
        if lidos == 0 {
            self.secou(&mut pedir);
            return self.despedir(Fim::Cliente);
        }
        self.leu_em = agora;
        self.leitura_curta = lidos < buffer_de_leitura.len();
        if self.leitura_curta {
            // Uma leitura curta esvaziou o socket (epoll(7)), e o que vier depois dará outro
            // evento; salvo o que o evento desta leitura já trazia, que não se repete.
            self.prontidao.legivel = self.prontidao.ler_ate_secar;
        }
        self.sobra = self.receber(&buffer_de_leitura[..lidos], agora, &mut pedir).to_vec();
    }

    /// Estes bytes viram pedidos, até o que se atende em um turno; o que fica deles é a sobra. Depois do
    /// último pedido do cliente, o resto não vale, e vai todo.
    fn receber<'a>(
        &mut self,
        bytes: &'a [u8],
        agora: Instant,
        pedir: &mut impl FnMut(Comando, usize),
    ) -> &'a [u8] {
        let (mut resto, mut pedidos) = (bytes, 0);
        while !resto.is_empty() && pedidos < PEDIDOS_POR_TURNO && !self.fez_o_ultimo {
            let compras = self.linhas.compras(&mut resto, PEDIDOS_POR_TURNO - pedidos);
            if compras > 0 {
                pedir(Comando::Comprar, compras);
            }
            pedidos += compras;
            if pedidos == PEDIDOS_POR_TURNO || resto.is_empty() {
                break;
            }
            let Some(linha) = self.linhas.proxima(&mut resto) else { break };
            self.fez_o_ultimo = entender(linha, pedir);
            pedidos += 1;
        }
        if self.fez_o_ultimo {
            // Nada mais se lê dele, e nada se guarda.
            self.linhas = Linhas::default();
            return &[];
        }
        let terminou_alguma = pedidos > 0 || bytes.contains(&b'\n');
        self.contar_prazo_da_linha(agora, terminou_alguma);
        if resto.is_empty() && self.leitura_curta {
            self.secou(pedir);
        }
        resto
    }

    /// O socket secou: a palavra solta, se é o que sobrou, vale agora.
    fn secou(&mut self, pedir: &mut impl FnMut(Comando, usize)) {
        while let Some(linha) = self.linhas.secou() {
            self.fez_o_ultimo |= entender(linha, pedir);
        }
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

    /// O servidor está fechando: se já atendeu tudo o que o socket tinha, despede-se. Só se sabe que ele
    /// secou lendo, e só se lê com a sobra atendida. Quem já se despediu por conta própria fica com a sua
    /// despedida.
    pub fn encerrar(&mut self) {
        if !self.prontidao.legivel {
            self.despedir(Fim::Encerramento);
        }
    }

    /// Vêm tantas respostas: reserva de uma vez o que costumam ocupar, em vez de crescer aos poucos.
    pub fn esperar_respostas(&mut self, quantas: usize, saidas: &mut Saidas) {
        if quantas > 0 && self.saida.capacity() == 0 {
            self.saida = saidas.emprestar();
        }
        self.saida.reserve(quantas * RESPOSTA_COMUM);
    }

    /// Põe bytes na fila de saída. Nada é escrito aqui: isso fica para o fim do turno.
    pub fn anexar(&mut self, agora: Instant, escrever: impl FnOnce(&mut Vec<u8>)) {
        if matches!(self.estado, Estado::Aberta | Estado::Despedindo(_)) {
            if self.saida.is_empty() {
                self.escreveu_em = agora;
            }
            escrever(&mut self.saida);
        }
    }

    /// Escreve o que falta dizer, e a última palavra, se é a vez dela; depois, conclui a despedida.
    pub fn escrever(&mut self, agora: Instant, fechar_escrita: fn(&F), saidas: &mut Saidas) {
        self.entregar(agora, saidas);
        if let Estado::Despedindo(fim) = self.estado
            && self.saida.is_empty()
            && !std::mem::replace(&mut self.deu_a_ultima_palavra, true)
            && let Some(palavra) = fim.ultima_palavra()
        {
            self.anexar(agora, |saida| palavra.escrever(saida));
            self.entregar(agora, saidas);
        }
        if !self.saida.is_empty() {
            return;
        }
        match self.estado {
            Estado::Despedindo(Fim::Cliente) => self.terminar(Fim::Cliente),
            Estado::Despedindo(fim) => {
                fechar_escrita(&self.fluxo);
                self.estado = Estado::Escoando(fim);
            }
            _ => {}
        }
    }

    /// Escreve o que couber do que falta dizer; dito tudo, devolve a saída.
    fn entregar(&mut self, agora: Instant, saidas: &mut Saidas) {
        while self.escritos < self.saida.len() {
            match self.fluxo.write(&self.saida[self.escritos..]) {
                Ok(0) => return self.terminar(Fim::Reset),
                Ok(escritos) => {
                    self.escritos += escritos;
                    self.escreveu_em = agora;
                }
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => {
                    self.prontidao.gravavel = false;
                    return;
                }
                Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
                Err(erro) => return self.quebrou(&erro),
            }
        }
        // Quem já ouviu tudo não ocupa memória: a maioria das conexões está parada.
        saidas.devolver(std::mem::take(&mut self.saida));
        self.escritos = 0;
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
            Estado::Encerrada(_) => None,
            Estado::Escoando(fim) => passou(self.escreveu_em, PRAZO_PARA_FECHAR).then_some(fim),
            // Com algo a dizer, é o cliente quem está em falta; os outros prazos esperam.
            _ if !self.saida.is_empty() => {
                passou(self.escreveu_em, PRAZO_DA_SAIDA).then_some(Fim::NaoLe)
            }
            // O que ele mandou ainda nem foi lido, ou decidido: o atraso não é dele.
            _ if self.quer_ler() || self.aguarda => None,
            _ if self.linha_desde.is_some_and(|desde| passou(desde, PRAZO_DA_LINHA)) => {
                Some(Fim::LinhaIncompleta)
            }
            // Quem acaba de ouvir não está ocioso, ainda que a resposta tenha demorado. Quem está tem a
            // saída vazia, e ainda pode ouvir por que a conexão fecha.
            _ if ocioso.is_some_and(|prazo| passou(self.leu_em.max(self.escreveu_em), prazo)) => {
                return self.despedir(Fim::Ocioso);
            }
            _ => None,
        };
        if let Some(fim) = vencido {
            self.terminar(fim);
        }
    }

    /// A memória acabou, e esta conexão é das que saem. Nada do que guardava espera a remoção.
    pub fn cortar(&mut self) {
        self.terminar(Fim::MemoriaCheia);
        self.saida = Vec::new();
        self.escritos = 0;
        self.sobra = Vec::new();
    }

    /// Não se sabe se uma compra dela valeu: fecha sem resposta, que seria um palpite.
    pub fn ficar_sem_desfecho(&mut self) {
        self.terminar(Fim::SemDesfecho);
    }

    /// O prazo de fechar venceu com esta conexão ainda por aqui.
    pub fn abandonar(&mut self) {
        self.terminar(Fim::Encerramento);
    }

    /// O que o sistema disse do fluxo, e não é uma espera.
    fn quebrou(&mut self, erro: &io::Error) {
        let sumiu = matches!(erro.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable);
        self.terminar(if sumiu { Fim::Sumiu } else { Fim::Reset });
    }

    fn terminar(&mut self, fim: Fim) {
        // A primeira causa é a que conta: um reset depois de "lotado" é ainda "lotado".
        let causa = match self.estado {
            Estado::Aberta => fim,
            Estado::Despedindo(causa) | Estado::Escoando(causa) | Estado::Encerrada(causa) => causa,
        };
        self.estado = Estado::Encerrada(causa);
    }
}

/// Uma linha vira um pedido; diz se é o último desta conexão.
fn entender(linha: Linha<'_>, pedir: &mut impl FnMut(Comando, usize)) -> bool {
    let pedido = Comando::from(linha);
    let ultimo = pedido.e_o_ultimo();
    pedir(pedido, 1);
    ultimo
}

#[cfg(test)]
mod testes {
    use super::*;

    /// Traz sempre os mesmos bytes, e leva tudo o que se escreve.
    struct Eco(&'static [u8]);

    impl Read for Eco {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            bytes[..self.0.len()].copy_from_slice(self.0);
            Ok(self.0.len())
        }
    }

    impl Write for Eco {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn quem_ja_ouviu_tudo_nao_ocupa_memoria() {
        let (agora, endereco) = (Instant::now(), SocketAddr::from(([127, 0, 0, 1], 1)));
        let mut conexao = Conexao::nova(Eco(b"CONSULTAR\nAJUDA\n"), endereco, agora);
        conexao.ler(&mut [0; LEITURA_POR_TURNO], agora, |_, _| ());
        let mut saidas = Saidas::default();
        conexao.esperar_respostas(2, &mut saidas);
        conexao.anexar(agora, |saida| saida.extend_from_slice(b"algo\n"));
        assert!(conexao.guardados() >= 5);
        conexao.escrever(agora, |_| (), &mut saidas);
        assert_eq!(conexao.guardados(), 0);
    }
}
