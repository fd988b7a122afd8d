//! O que mudar no código, um parágrafo por tipo de falha, no vocabulário do enunciado: com um exemplo curto e com a
//! conversa, digitada à mão, que mostra a falha. Só textos; qual vale, dizem as [`falhas`](super::falhas).

use super::boletim::{Boletim, Estado, nota};
use super::falhas::Falha;

/// Um conselho.
#[derive(Debug, Clone, PartialEq)]
pub struct Conselho {
    /// O que falta.
    pub titulo: &'static str,
    /// Quantos pontos custou; de um extra, nenhum.
    pub custou: f64,
    /// O que se viu, com a linha do aluno, se se sabe qual é.
    pub viu: String,
    /// O que mudar.
    pub mudar: &'static str,
    /// Em que linguagem está o exemplo: em Python, como o enunciado, se a falha não é de outra.
    pub lingua: &'static str,
    /// Como fica o código.
    pub exemplo: &'static str,
    /// O que digitar para ver a falha.
    pub a_mao: &'static str,
}

impl Conselho {
    /// Quanto custou, como se lê.
    pub fn pontos(&self) -> String {
        if self.custou > 0.0 { format!("{} pontos", nota(self.custou)) } else { "extra".into() }
    }
}

/// Os textos de uma falha: o título, o que mudar, o exemplo, e o que digitar.
type Textos = (&'static str, &'static str, &'static str, &'static str);

/// Duas conversas ao mesmo tempo.
const DOIS_TERMINAIS: &str = "# em um terminal, e não digite nada
nc 127.0.0.1 12346
# em outro: a resposta tem de vir
nc 127.0.0.1 12346
CONSULTAR";

const UM_TERMINAL: &str = "nc 127.0.0.1 12346
CONSULTAR
COMPRAR";

const MUITOS: &str =
    "# as linhas 'Compra realizada' têm de ser 10, cada uma com um número diferente
for i in $(seq 50); do (echo COMPRAR; sleep 1) | nc 127.0.0.1 12346 & done; wait";

const QUEBRADA: &str = "# fecha com um reset; repita várias vezes
python3 -c \"import socket, struct; s = socket.create_connection(('127.0.0.1', 12346)); \
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.sendall(b'COMPRAR\\n'); s.close()\"
# até esgotar, o servidor ainda tem de responder
nc 127.0.0.1 12346
COMPRAR";

const EXEMPLO_DO_LOCK: &str = "with lock:              # o teste e o desconto juntos
    if estoque > 0:
        estoque -= 1; resposta = f\"Compra realizada. Estoque restante: {estoque}\"";

const EXEMPLO_DO_TRY: &str = "try:
    dados = conn.recv(1024)
except OSError: dados = b\"\"   # a conexão quebrou: termine só a conversa deste cliente";

const EXEMPLO_DA_THREAD: &str = "conn, addr = server.accept()
thread = threading.Thread(target=handle_client, args=(conn, addr))
thread.start()          # o recv() fica em handle_client, e não aqui";

const PYTHON: &str = "Python";

/// Em que linguagem está o exemplo desta falha.
fn lingua(falha: Falha) -> &'static str {
    // O Python ignora este sinal.
    if falha == Falha::CaiComSigpipe { "C" } else { PYTHON }
}

fn textos(falha: Falha) -> Textos {
    match falha {
        Falha::OutraLingua | Falha::PortaErrada | Falha::EstoqueInicial | Falha::NaoVende => {
            textos_do_comeco(falha)
        }
        Falha::UmPorVez | Falha::MetadePrende | Falha::FechaAConexao | Falha::NemTodosAtendidos => {
            textos_das_threads(falha)
        }
        Falha::SemLock | Falha::LeForaDoLock | Falha::NumerosContraditorios | Falha::LockPreso => {
            textos_do_estoque(falha)
        }
        Falha::TextoDeConsultar
        | Falha::TextoDeComprar
        | Falha::TextoDaRecusa
        | Falha::NumeroErrado
        | Falha::RespostaAMais
        | Falha::RespostaExtraviada => textos_do_protocolo(falha),
        Falha::CaiComReset | Falha::CaiNaMetade | Falha::CaiComLixo | Falha::CaiComSigpipe => {
            textos_da_robustez(falha)
        }
    }
}

fn textos_do_comeco(falha: Falha) -> Textos {
    match falha {
        Falha::PortaErrada => (
            "Escutar na porta 12346",
            "O §3.1 manda escutar na porta TCP 12346: é nela que todo cliente procura. Troque o número no bind, e \
             não o peça a quem abre o servidor.",
            "server.bind(('0.0.0.0', 12346))\nserver.listen()",
            "# a conexão tem de abrir\nnc 127.0.0.1 12346",
        ),
        Falha::EstoqueInicial => (
            "Começar com estoque 10",
            "O §3.1 manda que a variável estoque comece em 10 cada vez que o servidor abre. Confira o valor inicial, \
             e se nada o muda antes do primeiro cliente.",
            "estoque = 10            # fora de qualquer função",
            "# a resposta: Estoque atual: 10\nnc 127.0.0.1 12346\nCONSULTAR",
        ),
        Falha::NaoVende => (
            "Vender enquanto há estoque",
            "Todas as compras foram recusadas, ou nada havia a vender. Confira a condição do COMPRAR: com estoque \
             maior que zero, ele decrementa e responde a compra.",
            "if estoque > 0:\n    estoque -= 1\n    return f\"Compra realizada. Estoque restante: {estoque}\"",
            UM_TERMINAL,
        ),
        _ => (
            "Responder aos comandos do §3.2",
            "O servidor aceita a conexão, mas nada do que responde é do protocolo. Leia o que o cliente manda, tire \
             os espaços e o fim de linha, compare com CONSULTAR e COMPRAR, e responda com o texto do §3.2.",
            "comando = conn.recv(1024).decode().strip()\nif comando == \"CONSULTAR\":\n    \
             conn.sendall(f\"Estoque atual: {estoque}\\n\".encode())",
            UM_TERMINAL,
        ),
    }
}

fn textos_das_threads(falha: Falha) -> Textos {
    match falha {
        Falha::MetadePrende => (
            "Não prender os outros enquanto lê um comando",
            "Um cliente que manda meio comando e para prende os outros. A leitura até o fim do comando tem de \
             acontecer na thread daquele cliente, sem segurar o Lock: só o acesso ao estoque fica dentro dele.",
            "comando = conn.recv(1024).decode().strip()   # fora do Lock\nwith lock:\n    resposta = executar(comando)",
            "# em um terminal\nprintf CONSU | nc 127.0.0.1 12346\n# em outro: a resposta tem de vir\nnc 127.0.0.1 12346\nCONSULTAR",
        ),
        Falha::FechaAConexao => (
            "Manter a conexão aberta",
            "O servidor fecha a conexão depois de responder, ou antes de o cliente pedir. O §5 a mantém aberta: o \
             mesmo cliente consulta, compra e fica ouvindo o AVISO. Ponha a leitura em um laço, e só feche quando o \
             recv devolver vazio.",
            "while True:\n    dados = conn.recv(1024)\n    if not dados: break",
            UM_TERMINAL,
        ),
        Falha::NemTodosAtendidos => (
            "Atender todos os que chegam",
            "Com muitos clientes conectados ao mesmo tempo, alguns não foram atendidos. Cada accept deve disparar uma \
             thread nova (§3.1), sem limite pequeno de threads, e o accept deve voltar logo ao laço.",
            EXEMPLO_DA_THREAD,
            MUITOS,
        ),
        _ => (
            "Uma thread para cada conexão",
            "Enquanto um cliente está conectado sem pedir nada, os outros não são atendidos: a conversa com ele \
             acontece no mesmo laço do accept. O §3.1 pede uma thread por conexão: o laço só aceita e dispara, e a \
             conversa inteira fica na thread. Cuidado com join() e com chamar a função em vez de passá-la a target.",
            EXEMPLO_DA_THREAD,
            DOIS_TERMINAIS,
        ),
    }
}

fn textos_do_estoque(falha: Falha) -> Textos {
    match falha {
        Falha::LeForaDoLock => (
            "Responder com o estoque lido dentro do Lock",
            "Duas compras ouviram o mesmo número. O desconto pode estar protegido, mas o número da resposta foi lido \
             depois de soltar o Lock, quando outra thread já o tinha mudado; ou o desconto de uma se perdeu. Guarde o \
             número em uma variável local ainda dentro do with, e responda com ela.",
            "with lock:\n    estoque -= 1\n    restante = estoque      # responda com restante, fora do with",
            MUITOS,
        ),
        Falha::NumerosContraditorios => (
            "Um estoque só, que só desce",
            "As respostas não cabem em nenhuma ordem: o estoque subiu, uma unidade sumiu ou se recusou uma venda que \
             cabia. Há mais de um lugar que muda o estoque, ou um acesso fora do Lock. Todo acesso à variável, também \
             o de CONSULTAR, fica dentro do mesmo Lock.",
            EXEMPLO_DO_LOCK,
            MUITOS,
        ),
        Falha::LockPreso => (
            "Soltar sempre o Lock",
            "Algumas compras ficaram sem resposta enquanto outros compravam. Um acquire() sem o release() em todos os \
             caminhos prende as outras threads para sempre; um envio a um cliente lento com o Lock na mão, também. \
             Use with, e envie depois de soltá-lo.",
            EXEMPLO_DO_LOCK,
            MUITOS,
        ),
        _ => (
            "O teste e o desconto dentro do mesmo Lock",
            "O estoque passou de zero: vendeu-se mais do que havia, ou um número ficou negativo. É o que acontece quando \
             duas threads testam o estoque antes de uma delas o descontar, a condição de corrida do §2. O teste e o \
             desconto são uma seção crítica só, protegida por um Lock único, criado uma vez e usado por todas as \
             threads; um Lock criado dentro da função não protege nada.",
            EXEMPLO_DO_LOCK,
            MUITOS,
        ),
    }
}

fn textos_do_protocolo(falha: Falha) -> Textos {
    match falha {
        Falha::TextoDeConsultar => (
            "O texto da resposta a CONSULTAR",
            "O §3.2 escreve a resposta: 'Estoque atual: 10'. Quem lê é um programa: o texto tem de ser esse, letra \
             por letra, com o número no lugar do 10.",
            "conn.sendall(f\"Estoque atual: {estoque}\\n\".encode())",
            "# a resposta: Estoque atual: 10\nnc 127.0.0.1 12346\nCONSULTAR",
        ),
        Falha::TextoDaRecusa => (
            "O texto da recusa",
            "Sem estoque, a resposta a COMPRAR é 'ERRO: Produto esgotado' (§3.2), letra por letra, e a conexão \
             continua aberta.",
            "conn.sendall(\"ERRO: Produto esgotado\\n\".encode())",
            "# onze vezes COMPRAR: a última é recusada\nnc 127.0.0.1 12346\nCOMPRAR",
        ),
        Falha::NumeroErrado => (
            "O número certo a quem compra",
            "Mesmo com um cliente só, os números não batem: 'Estoque restante' é o que sobrou depois da venda. \
             Decremente antes de montar a resposta, e não devolva quantas já vendeu.",
            "estoque -= 1\nresposta = f\"Compra realizada. Estoque restante: {estoque}\"   # a primeira diz 9",
            UM_TERMINAL,
        ),
        Falha::RespostaAMais => (
            "Uma resposta para cada comando",
            "Vieram mais respostas do que pedidos, e o cliente não sabe qual é a sua. Confira se o mesmo comando não \
             é respondido duas vezes, e se o que se manda a todos é só o AVISO.",
            "resposta = executar(comando)\nconn.sendall((resposta + \"\\n\").encode())   # uma vez só",
            UM_TERMINAL,
        ),
        Falha::RespostaExtraviada => (
            "Responder a quem pediu",
            "A resposta de um cliente foi para outro: o socket está em uma variável global, que a próxima conexão \
             troca. Cada thread usa o conn que recebeu como argumento.",
            "def handle_client(conn, addr):      # conn é deste cliente\n    ...\n    conn.sendall(resposta.encode())",
            DOIS_TERMINAIS,
        ),
        _ => (
            "O texto da resposta a COMPRAR",
            "O §3.2 escreve a resposta: 'Compra realizada. Estoque restante: X'. Quem lê é um programa: o texto tem \
             de ser esse, letra por letra, com o que sobrou no lugar do X.",
            "conn.sendall(f\"Compra realizada. Estoque restante: {estoque}\\n\".encode())",
            UM_TERMINAL,
        ),
    }
}

fn textos_da_robustez(falha: Falha) -> Textos {
    match falha {
        Falha::CaiNaMetade => (
            "Sobreviver a quem vai embora no meio",
            "Um cliente foi embora no meio de um comando e os outros deixaram de ser atendidos. Quando o recv devolve \
             vazio, o cliente se foi: saia do laço, feche a conexão dele e tire-a da lista, sem parar o servidor.",
            "dados = conn.recv(1024)\nif not dados:\n    break               # este cliente se foi; os outros continuam",
            "# várias vezes\nprintf CONSUL | nc -q0 127.0.0.1 12346\n# o servidor ainda tem de responder\nnc 127.0.0.1 12346\nCONSULTAR",
        ),
        Falha::CaiComLixo => (
            "Sobreviver ao que não é comando",
            "Bytes que não são texto, uma linha vazia ou um comando desconhecido derrubaram a conversa ou o servidor. \
             Decodifique sem falhar, confira antes de usar uma posição da linha, e responda um erro ao que não \
             conhece.",
            "texto = dados.decode(errors=\"replace\").strip()\nif texto not in (\"CONSULTAR\", \"COMPRAR\"):\n    \
             conn.sendall(b\"ERRO: Comando desconhecido\\n\")",
            "printf '\\377\\376\\n' | nc 127.0.0.1 12346\nnc 127.0.0.1 12346\nCONSULTAR",
        ),
        Falha::CaiComSigpipe => (
            "Sobreviver a quem sai antes da resposta",
            "Escrever a um cliente que já saiu manda ao programa o sinal SIGPIPE, que o termina na hora, sem exceção e \
             sem mensagem. Ignore-o uma vez, no começo do main, ou mande tudo com MSG_NOSIGNAL: o send passa a devolver \
             -1, e basta fechar a conexão daquele cliente.",
            "signal(SIGPIPE, SIG_IGN);               /* no começo do main */\nif (send(conn, resposta, tamanho, \
             MSG_NOSIGNAL) < 0)\n    close(conn);                        /* este cliente se foi; os outros continuam */",
            QUEBRADA,
        ),
        _ => (
            "Sobreviver a uma conexão que quebra",
            "Um cliente que desconecta abruptamente (§10) faz recv e sendall lançarem uma exceção. Trate-a em volta da \
             conversa daquele cliente, e também em volta de cada envio do AVISO: um cliente que já se foi não pode \
             impedir os outros de ouvir, nem encerrar o servidor.",
            EXEMPLO_DO_TRY,
            QUEBRADA,
        ),
    }
}

/// Os conselhos, dos que custam mais pontos aos que não custam nenhum.
pub fn conselhos(boletim: &Boletim) -> Vec<Conselho> {
    let mut conselhos: Vec<Conselho> = Vec::new();
    let mut ditas: Vec<Falha> = Vec::new();
    for conferencia in boletim.itens.iter().flat_map(|item| &item.conferencias) {
        let custou = conferencia.de - conferencia.pontos;
        let Some(falha) = conferencia.falha.filter(|_| custou > 1e-9) else { continue };
        // A mesma falha em dois itens é um conselho só, com o que custou nos dois.
        if let Some(indice) = ditas.iter().position(|dita| *dita == falha) {
            conselhos[indice].custou += custou;
            continue;
        }
        ditas.push(falha);
        let (titulo, mudar, exemplo, a_mao) = textos(falha);
        let viu = conferencia.viu.clone();
        let lingua = lingua(falha);
        conselhos.push(Conselho { titulo, custou, viu, mudar, lingua, exemplo, a_mao });
    }
    conselhos.sort_by(|um, outro| outro.custou.total_cmp(&um.custou));
    conselhos.extend(dos_extras(boletim));
    conselhos
}

/// O AVISO, que o §7 também quer ver.
fn dos_extras(boletim: &Boletim) -> Option<Conselho> {
    let (estado, viu) = &boletim.aviso;
    matches!(estado, Estado::NaoCumprido | Estado::EmParte).then(|| Conselho {
        titulo: "Avisar a todos quando o estoque esgota",
        custou: 0.0,
        viu: viu.clone(),
        mudar: "O broadcast é um extra (§9), e o §7 o observa: guarde em uma lista as conexões ativas, com um Lock seu; \
                no momento em que o estoque chega a zero, mande o AVISO a cada uma, depois da resposta a quem comprou, \
                com try em volta de cada envio.",
        lingua: PYTHON,
        exemplo: "for c in list(conexoes):\n    try: c.sendall(\"AVISO: O estoque acabou de esgotar!\\n\".encode())\n    \
                  except OSError: pass",
        a_mao: "# em um terminal, que tem de mostrar o AVISO\nnc 127.0.0.1 12346\n# em outro, dez vezes COMPRAR\n\
                nc 127.0.0.1 12346\nCOMPRAR",
    })
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::boletim::{Conferencia, Item, exemplos};

    fn boletim(perdas: &[(f64, Falha)], aviso: Estado) -> Boletim {
        let conferencia = |(custou, falha): &(f64, Falha)| Conferencia {
            falha: Some(*falha),
            ..exemplos::conferencia(&format!("{falha:?}"), 1.0 - custou, 1.0)
        };
        let conferencias = perdas.iter().map(conferencia).collect();
        exemplos::boletim(vec![Item { nome: "x", conferencias }], aviso)
    }

    /// Quem copia o bloco executa cada linha: o que se explica é comentário, e o resto é comando.
    #[test]
    fn o_que_se_digita_para_ver_a_falha_e_so_comandos_e_comentarios() {
        let avisa = conselhos(&boletim(&[], Estado::NaoCumprido));
        let falhas = [
            Falha::OutraLingua,
            Falha::PortaErrada,
            Falha::EstoqueInicial,
            Falha::UmPorVez,
            Falha::MetadePrende,
            Falha::NemTodosAtendidos,
            Falha::TextoDeConsultar,
            Falha::TextoDaRecusa,
            Falha::CaiComReset,
            Falha::CaiNaMetade,
            Falha::CaiComLixo,
        ];
        let blocos = falhas.into_iter().map(|falha| textos(falha).3);
        for bloco in blocos.chain(avisa.iter().map(|conselho| conselho.a_mao)) {
            for linha in bloco.lines() {
                let comecos = ["# ", "nc ", "printf ", "for ", "python3 "];
                let digitavel = ["CONSULTAR", "COMPRAR"].contains(&linha)
                    || comecos.iter().any(|comeco| linha.starts_with(comeco));
                assert!(digitavel && !linha.contains("   "), "{linha}");
            }
        }
    }

    #[test]
    fn vem_antes_o_que_custou_mais_e_o_que_nao_custou_nao_vem() {
        let perdas = [
            (0.25, Falha::CaiComLixo),
            (0.4, Falha::UmPorVez),
            (0.0, Falha::TextoDeComprar),
            (0.3, Falha::UmPorVez),
        ];
        let ditos = conselhos(&boletim(&perdas, Estado::NaoCumprido));
        let titulos: Vec<&str> = ditos.iter().map(|conselho| conselho.titulo).collect();
        assert_eq!(
            titulos,
            [
                "Uma thread para cada conexão",
                "Sobreviver ao que não é comando",
                "Avisar a todos quando o estoque esgota"
            ]
        );
        assert_eq!(ditos[0].pontos(), "0,7 pontos", "a mesma falha se soma");
        assert_eq!(ditos[2].pontos(), "extra");
        assert_eq!(conselhos(&boletim(&[], Estado::Cumprido)), []);
    }

    #[test]
    fn cada_exemplo_diz_em_que_linguagem_esta() {
        let perdas = [(0.5, Falha::CaiComSigpipe), (0.25, Falha::CaiComReset)];
        let com_perdas = boletim(&perdas, Estado::NaoCumprido);
        let linguas: Vec<&str> = conselhos(&com_perdas).iter().map(|c| c.lingua).collect();
        assert_eq!(linguas, ["C", "Python", "Python"]);
        let pagina = com_perdas.html();
        assert!(pagina.contains("Em C:") && pagina.contains("Em Python:"), "{pagina}");
    }

    /// O que se manda digitar é executado como está, e quem espera do outro lado vê um reset, e não um fim.
    #[cfg(unix)]
    #[test]
    fn o_que_se_digita_para_ver_a_conexao_quebrar_quebra_a_conexao() {
        use std::io::{ErrorKind, Read};
        use std::net::TcpListener;
        use std::process::Command;
        if Command::new("python3").arg("--version").output().is_err() {
            println!("sem python3: teste pulado");
            return;
        }
        let ouvinte = TcpListener::bind("127.0.0.1:0").unwrap();
        let porta = ouvinte.local_addr().unwrap().port().to_string();
        let (quebra, _) = QUEBRADA.split_once("\nnc ").unwrap();
        let situacao =
            Command::new("sh").args(["-c", &quebra.replace("12346", &porta)]).status().unwrap();
        assert!(situacao.success());
        let (mut conexao, _) = ouvinte.accept().unwrap();
        let fim = conexao.read_to_end(&mut Vec::new()).map_err(|erro| erro.kind());
        assert_eq!(fim, Err(ErrorKind::ConnectionReset));
    }
}
